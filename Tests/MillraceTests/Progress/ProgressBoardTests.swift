import Logging
import Millrace
import MillraceIPC
import Testing

/// A board without a thread, on a terminal in memory, and maps that are what the tests say.
@Suite("Progress: bars on a terminal")
struct ProgressBoardTests {
  private final class Show {
    let device: MemoryDevice
    let board: ProgressBoard
    var now: UInt64 = 1_000_000_000_000

    init(_ device: MemoryDevice) {
      self.device = device
      board = ProgressBoard(device, hasThread: false)
    }

    func map(_ style: ProgressStyle, total: Int?, inside outer: Map? = nil) -> Map {
      let counter = ProgressCounter(total: total)
      let tracker = ProgressTracker(style, counter, observation: nil, board: board, at: now, parent: outer?.number)
      tracker.follow(JobID(1))
      return Map(counter: counter, number: tracker.number)
    }

    func look(after milliseconds: UInt64 = 100) {
      now += milliseconds * 1_000_000
      board.look(at: now)
    }
  }

  private struct Map {
    let counter: ProgressCounter
    var number = 0

    func tell(_ event: DispatchEvent, at time: UInt64 = 0) { _ = counter.accept(PoolEvent(time: time, event: event)) }
    func done(_ items: Range<Int>) { tell(.itemsDone(JobID(1), items: items, slot: 0, attempt: 1)) }
    /// They had their outcomes before they came.
    func restored(_ items: Range<Int>) { tell(.itemsDone(JobID(1), items: items, slot: 0, attempt: 0)) }
    func end(_ how: JobEnd, done: Int, failed: Int = 0, at time: UInt64) {
      var totals = JobTotals()
      (totals.read, totals.done, totals.failed) = (done + failed, done, failed)
      tell(.jobEnded(JobID(1), how, totals), at: time)
      counter.isOver(at: time)
    }
  }

  @Test("a device that nobody reads keeps nobody, however much is written to it", .timeLimit(.minutes(1)))
  func nobodyReads() throws {
    let pipe = try Pipe()
    let device = StandardErrorDevice(pipe.writing.rawValue)
    let text = String(repeating: "x", count: 1_000_000)
    #expect(device.write(text, patience: 1) == .written)
    #expect(device.write("y", patience: 1) == .busy)
  }

  @Test(
    "M15: bars stand under each other, and those that are over above them, in every width",
    arguments: [20, 40, 80, 200])
  func severalBars(columns: Int) {
    let show = Show(MemoryDevice(columns: columns))
    let maps = (1...3).map { show.map(.bar("map \($0)"), total: 10) }
    show.look()
    #expect(show.device.shown.count == 3)
    #expect(show.device.shown.enumerated().allSatisfy { $1.hasPrefix("map \($0 + 1)   0%") })
    maps[0].done(0..<5)
    maps[2].done(0..<9)
    show.look()
    #expect(show.device.shown.map { $0.prefix(10) } == ["map 1  50%", "map 2   0%", "map 3  90%"])
    maps[1].end(.complete, done: 10, at: show.now)
    show.look()
    #expect(show.device.shown.map { $0.prefix(10) } == ["map 2 100%", "map 1  50%", "map 3  90%"])
    #expect(show.device.shown.allSatisfy { $0.displayWidth < columns })
    maps[0].end(.failed(CancellationError()), done: 5, failed: 1, at: show.now)
    maps[2].end(.cancelled, done: 9, at: show.now)
    show.look()
    #expect(show.device.shown.map { $0.prefix(10) } == ["map 2 100%", "map 1  60%", "map 3  90%"])
    show.look()
    #expect(show.device.shown.count == 3 && show.device.isTidy)
  }

  @Test("lines of others go above the bars, whole, and no row is left blank")
  func linesAbove() {
    let show = Show(MemoryDevice(columns: 30))
    let map = show.map(.bar("pages"), total: 4)
    show.look()
    show.board.terminal.print("one line")
    show.board.terminal.print("a line that is much wider than the terminal is\nand another\n")
    show.board.terminal.aside { show.device.state.withLock { $0.terminal.write("output of a job\n") } }
    show.board.terminal.aside(endsLine: { false }) { show.device.state.withLock { $0.terminal.write("no end") } }
    map.done(0..<1)
    show.look()
    #expect(
      show.device.shown.dropLast() == [
        "one line", "a line that is much wider than", " the terminal is", "and another", "output of a job", "no end",
      ])
    #expect(show.device.shown.last?.hasPrefix("pages  25%") == true)
    #expect(show.device.isTidy)
  }

  @Test("a log handler writes its records above the bars, with their metadata, without controls")
  func logHandler() {
    let show = Show(MemoryDevice(columns: 60))
    _ = show.map(.bar("pages"), total: 4)
    show.look()
    let terminal = show.board.terminal
    var logger = Logger(label: "crawler") { label in
      ProgressLogHandler(
        label: label, level: .info, metadataProvider: Logger.MetadataProvider { ["trace": "7", "page": "?"] },
        terminal: terminal)
    }
    logger[metadataKey: "page"] = "1"
    logger[metadataKey: "depth"] = "2"
    logger.warning("not found", metadata: ["page": "12"])
    logger.debug("nobody wants to know")
    logger.logLevel = .debug
    logger.debug("two\nlines", metadata: ["list": ["a", "b"]])
    #expect(
      show.device.shown.dropLast() == [
        "warning crawler: not found depth=2 page=12 trace=7", "debug crawler: two",
        "lines depth=2 list=[\"a\", \"b\"] page=? trace=7",
      ], "\(show.device.shown)")
    #expect(show.device.shown.last?.hasPrefix("pages   0%") == true && show.device.isTidy)
  }

  @Test("without bars, lines are written as they are")
  func linesAlone() {
    let show = Show(MemoryDevice())
    show.board.terminal.print("a line")
    #expect(show.device.writes == ["a line\n"])
  }

  @Test(
    "a terminal that has become narrower, or wider, shows each bar once", arguments: [(80, 30), (30, 80), (80, 20)])
  func resized(from: Int, to: Int) {
    let show = Show(MemoryDevice(columns: from))
    let maps = (1...2).map { show.map(.bar("map \($0)"), total: 10) }
    show.board.terminal.print("above")
    show.look()
    show.device.state.withLock { $0.terminal.resize(columns: to) }
    maps[0].done(0..<3)
    show.look()
    #expect(show.device.shown.map { $0.prefix(10) } == ["above", "map 1  30%", "map 2   0%"])
    #expect(show.device.shown.allSatisfy { $0.displayWidth < to } && show.device.isTidy)
  }

  @Test(
    "no terminal, or one that cannot move its cursor: plain lines, one every five seconds or ten percent",
    arguments: [
      (false, ["TERM": "xterm"]), (true, ["TERM": "dumb"]), (true, [:]),
    ])
  func plainLines(isTerminal: Bool, environment: [String: String]) {
    let show = Show(MemoryDevice(isTerminal: isTerminal, environment))
    let map = show.map(.bar("pages"), total: 100)
    // 4 % a second: ten percent every 2.5 seconds.
    for tick in 0..<200 {
      map.done(tick / 10 * 4..<(tick + 1) / 10 * 4)
      show.look()
    }
    #expect(show.device.writes.first == "pages   0% 0/100 0:00\n")
    let percents = show.device.writes.compactMap { $0.split(separator: " ").dropFirst().first }
    #expect(percents == ["0%", "12%", "20%", "32%", "40%", "52%", "60%", "72%", "80%"])
    // Nothing moves: every five seconds.
    for _ in 0..<100 { show.look() }
    #expect(show.device.writes.count == 11)
    map.end(.complete, done: 100, at: show.now)
    show.look()
    #expect(show.device.writes.last == "pages 100% 100/100 3.3/s 0:30 done\n")
    #expect(!show.device.writes.joined().contains("\u{1B}"))
  }

  @Test(
    "colours: as NO_COLOR and FORCE_COLOR say",
    arguments: [
      ([:], true, false), (["NO_COLOR": "1"], false, false), (["NO_COLOR": ""], true, false),
      (["FORCE_COLOR": "1"], true, true), (["NO_COLOR": "1", "FORCE_COLOR": "1"], true, true),
      (["FORCE_COLOR": "0"], false, false),
    ])
  func colours(variables: [String: String], onTerminal: Bool, elsewhere: Bool) {
    for (isTerminal, expected) in [(true, onTerminal), (false, elsewhere)] {
      let environment = variables.merging(["TERM": "xterm"]) { $1 }
      let show = Show(MemoryDevice(isTerminal: isTerminal, environment))
      let map = show.map(.bar(), total: 2)
      map.end(.failed(CancellationError()), done: 1, failed: 1, at: show.now)
      show.look()
      #expect(show.device.writes.joined().contains("\u{1B}[31m") == expected)
    }
  }

  @Test("a total that becomes known; a counter until then; input without items")
  func totals() {
    let show = Show(MemoryDevice(columns: 60))
    let map = show.map(.bar("rows", unit: "rows"), total: nil)
    map.tell(.jobRead(JobID(1), count: 7))
    map.done(0..<3)
    show.look()
    #expect(show.device.shown[0].hasPrefix("rows 3 rows"))
    map.tell(.jobReadAll(JobID(1)))
    show.look()
    #expect(show.device.shown[0].hasPrefix("rows  42% ━"))
    map.end(.complete, done: 7, at: show.now)
    let empty = show.map(.bar("empty"), total: 0)
    empty.end(.complete, done: 0, at: show.now)
    show.look()
    #expect(show.device.shown.map { $0.prefix(10) } == ["rows 100% ", "empty 100%"])
    #expect(show.device.shown[1].contains(" 0/0 "))
  }

  @Test("attempts that failed and are made again are no progress, and nothing exceeds 100 %")
  func retries() {
    let show = Show(MemoryDevice(columns: 80))
    let map = show.map(.compact("x"), total: 2)
    for attempt in 1...5 {
      map.tell(.itemRetried(JobID(1), index: 0, slot: 0, attempt: attempt, .timedOut(limit: .seconds(1)), delay: 0))
    }
    show.look()
    #expect(show.device.shown == ["x   0% 0/2 5 retried 0:00"])
    map.done(0..<1)
    show.look()
    #expect(show.device.shown[0].hasPrefix("x  50% 1/2 5 retried"))
  }

  @Test("U256: what was done before a map is finished, and took none of its time")
  func resumed() {
    let show = Show(MemoryDevice(columns: 80))
    let map = show.map(.compact("x"), total: 1_000)
    map.restored(0..<900)
    let failure = ItemFailure(index: 900, slot: 3, attempt: 0, cause: .timedOut(limit: .seconds(1)))
    map.tell(.itemFailed(JobID(1), failure))
    show.look()
    #expect(show.device.shown[0].hasPrefix("x  90% 901/1000 1 failed 0:00"), "\(show.device.shown)")
    for tick in 0..<20 {
      map.done(901 + tick..<902 + tick)
      show.look()
    }
    // About ten a second, and 79 are left.
    #expect(show.device.shown == ["x  92% 921/1000 1 failed 8.7/s 0:02 0:10 left"])
    map.done(921..<1_000)
    map.end(.complete, done: 999, failed: 1, at: show.now)
    show.look()
    // 99 in 2.1 seconds.
    #expect(show.device.shown[0].contains(" 1000/1000 1 failed 47/s "), "\(show.device.shown)")
  }

  @Test("a map is not over before its consumer has taken what there is")
  func untaken() {
    let show = Show(MemoryDevice(columns: 40))
    let map = show.map(.bar("x"), total: 2)
    var totals = JobTotals()
    (totals.read, totals.done) = (2, 2)
    map.tell(.jobEnded(JobID(1), .complete, totals), at: show.now)
    show.look()
    show.board.terminal.print("the last output")
    #expect(show.device.shown.map { $0.prefix(6) } == ["the la", "x 100%"])
    map.counter.isOver(at: show.now)
    show.look()
    show.board.terminal.print("what comes after it")
    #expect(show.device.shown.map { $0.prefix(6) } == ["the la", "x 100%", "what c"])
  }

  @Test("the clock moves while nothing else does")
  func stalled() {
    let show = Show(MemoryDevice(columns: 80))
    _ = show.map(.bar("x"), total: 2)
    show.look()
    for _ in 0..<30 { show.look() }
    #expect(show.device.shown[0].hasSuffix(" 0/2 0:03"))
  }

  @Test("a terminal that takes nothing loses frames, and no line that stays")
  func busy() {
    let show = Show(MemoryDevice(columns: 40))
    let map = show.map(.bar("x"), total: 2)
    show.look()
    show.device.state.withLock { $0.answer = .busy }
    map.done(0..<1)
    show.look()
    let second = show.map(.bar("y"), total: 1)
    second.end(.complete, done: 1, at: show.now)
    show.look()
    show.device.state.withLock { $0.answer = .written }
    show.look()
    #expect(show.device.shown.map { $0.prefix(6) } == ["y 100%", "x  50%"])
    #expect(show.device.isTidy)
  }

  @Test("a terminal that has gone away is left alone")
  func gone() {
    let show = Show(MemoryDevice())
    let map = show.map(.bar("x"), total: 2)
    show.device.state.withLock { $0.answer = .gone }
    show.look()
    show.device.state.withLock { $0.answer = .written }
    map.end(.complete, done: 2, at: show.now)
    show.look()
    show.board.terminal.print("a line")
    #expect(show.device.writes.isEmpty)
  }

  @Test("while another program has the terminal nothing is drawn; afterwards it goes on below")
  func background() {
    let show = Show(MemoryDevice(columns: 40))
    let map = show.map(.bar("x"), total: 2)
    show.look()
    show.device.state.withLock { state in
      state.isInForeground = false
      state.terminal.write("$ another command\n")
    }
    map.done(0..<1)
    show.look()
    #expect(show.device.shown.last == "$ another command")
    show.device.state.withLock { $0.isInForeground = true }
    show.look()
    #expect(show.device.shown.map { $0.prefix(6) } == ["x   0%", "$ anot", "x  50%"])
  }

  @Test("who was stopped goes on below what was written meanwhile, at the rate of before")
  func stopped() {
    let show = Show(MemoryDevice(columns: 60))
    let map = show.map(.bar("x"), total: 100)
    for tick in 1...20 {
      map.done((tick - 1) * 2..<tick * 2)
      show.look()
    }
    #expect(show.device.shown[0].contains(" 0:03 left"))
    show.device.state.withLock { $0.terminal.write("^Z\n[1]+  Stopped\n$ fg\n") }
    show.look(after: 60_000)
    #expect(show.device.shown.dropFirst().prefix(3) == ["^Z", "[1]+  Stopped", "$ fg"])
    // A minute in which nothing is finished would leave nothing of that rate.
    #expect(show.device.shown.last!.contains(" 20/s "), "\(show.device.shown)")
  }

  @Test("U262: a map inside an item has its bar under that of the map around it")
  func nested() {
    let show = Show(MemoryDevice(columns: 40))
    let outer = ["A", "B"].map { show.map(.bar($0), total: 10) }
    let inside = show.map(.bar("in A"), total: 10, inside: outer[0])
    _ = show.map(.bar("C"), total: 10)
    let deeper = show.map(.bar("in in A"), total: 10, inside: inside)
    _ = show.map(.bar("in B"), total: 10, inside: outer[1])
    let second = show.map(.bar("2nd in A"), total: 10, inside: outer[0])
    func names() -> [String] { show.device.shown.map { String($0.prefix { $0 != "%" }.dropLast(4)) } }
    show.look()
    #expect(names() == ["A", "in A", "in in A", "2nd in A", "B", "in B", "C"])
    // Whose outer map is over stands where it began.
    outer[0].end(.cancelled, done: 0, at: show.now)
    show.look()
    show.look()
    #expect(names() == ["A", "B", "in B", "in A", "in in A", "C", "2nd in A"])
    for map in [inside, deeper, second] { map.end(.complete, done: 10, at: show.now) }
    show.look()
    show.look()
    #expect(show.device.isTidy)
  }

  @Test(
    "U257: of 200 short maps, one after another or at once, all last lines come, with ten redraws a second",
    .timeLimit(.minutes(1)), arguments: [1, 200])
  func short(atOnce: Int) async {
    let device = MemoryDevice(columns: 40)
    let board = ProgressBoard(device)
    let begun = ContinuousClock.now
    @Sendable func run(_ number: Int) async {
      let counter = ProgressCounter(total: 1)
      let tracker = ProgressTracker(
        .bar("map \(number)"), counter, observation: nil, board: board, at: MonotonicTime.now)
      tracker.follow(JobID(1))
      try? await Task.sleep(for: .milliseconds(2))
      Map(counter: counter).end(.complete, done: 1, at: MonotonicTime.now)
      await tracker.finish()
    }
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<200 {
        if number >= atOnce { await group.next() }
        group.addTask { await run(number) }
      }
    }
    // Nobody has waited for a tenth of a second each.
    #expect(begun.duration(to: .now) < .seconds(10))
    while device.shown.count(where: { $0.contains("100%") }) < 200 { try? await Task.sleep(for: .milliseconds(5)) }
    let looks = Int(begun.duration(to: .now) / .milliseconds(100))
    // One at once, and one that finishes the bar that was there. What is much is written in several pieces.
    let pieces = device.writes.reduce(0) { $0 + $1.utf8.count } / 2_048
    #expect(
      device.writes.count <= looks + 3 + pieces, "\(device.writes.count) writes in \(looks) tenths of a second")
    #expect(Set(device.shown.map { $0.prefix { $0 != "%" } }).count == 200 && device.isTidy)
  }

  @Test("more bars than the terminal has rows")
  func tooMany() {
    let show = Show(MemoryDevice(columns: 40))
    show.device.state.withLock { $0.rows = 6 }
    let maps = (0..<10).map { show.map(.bar("map \($0)"), total: 1) }
    show.look()
    #expect(show.device.shown.count == 5)
    #expect(show.device.shown.last == "... and 6 more")
    for map in maps { map.end(.complete, done: 1, at: show.now) }
    show.look()
    #expect(show.device.shown.count == 10 && show.device.isTidy)
  }

  @Test("JSON once a second, at the beginning and at the end")
  func json() {
    let show = Show(MemoryDevice(isTerminal: false))
    let map = show.map(.json("x"), total: 3)
    for _ in 0..<25 { show.look() }
    map.end(.complete, done: 3, at: show.now)
    show.look()
    #expect(show.device.writes.count == 4)
    #expect(show.device.writes.allSatisfy { $0.hasPrefix("{\"name\":\"x\"") && $0.hasSuffix("}\n") })
    #expect(show.device.writes.last!.contains("\"phase\":\"complete\""))
  }

  @Test("an input that ends before what was expected for certain was cut short", arguments: [4, 30, 31])
  func cutShort(done: Int) {
    let counter = ProgressCounter(expected: 30)
    counter.follow(JobID(1))
    let map = Map(counter: counter)
    map.tell(.jobRead(JobID(1), count: done))
    map.tell(.jobReadAll(JobID(1)))
    #expect(counter.counts.total == max(30, done))
    map.end(.complete, done: done, at: 5)
    #expect(counter.counts.total == max(30, done))
    #expect(counter.counts.phase == (done < 30 ? .cancelled : .complete))
  }

  @Test("the events of other maps are not this one's")
  func others() {
    let counter = ProgressCounter(total: 5)
    func tell(_ job: Int, _ items: Range<Int>) {
      _ = counter.accept(PoolEvent(time: 1, event: .itemsDone(JobID(job), items: items, slot: 0, attempt: 1)))
    }
    tell(1, 0..<10)
    tell(2, 0..<1)
    counter.follow(JobID(2))
    tell(1, 10..<20)
    tell(2, 1..<3)
    #expect(counter.counts.done == 3 && counter.counts.total == 5)
    counter.isOver(at: 7)
    counter.isOver(at: 9)
    #expect(counter.counts.end == 7 && counter.counts.phase == .cancelled)
  }
}
