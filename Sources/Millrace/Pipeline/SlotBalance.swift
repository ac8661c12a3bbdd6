extension Pipeline {
  /// Groups with a width of their own (`Parallel(4)`, `As(2, …)`) have so many slots together, and lend each other what they do not need.
  ///
  /// The widths that were written are where it begins. Once a second it is looked how busy the slots were: as long as others would make the
  /// run faster by a tenth or more, the group with the least time left gets one (of many slots several), which one with time to spare gives
  /// up, unless there are fewer than `cpus`. Each keeps one at least. Where items take long, it looks longer before it moves one: for as long as 32 of the longest take,
  /// or four of them where there are fewer than `cpus`. What was done is logged, and seen in ``PipelineRun/snapshot``.
  ///
  /// Stages without a width need none of that: they share the pipeline's slots as they need them. What sees its items in order, in one
  /// instance, keeps its slot, and on a serial pool nothing is moved.
  ///
  /// - Parameter cpus: How many slots they have together; more if their widths are more.
  public func balanced(cpus: Int = WorkerPool.usableCPUs) -> Pipeline { balanced(cpus: cpus, every: .seconds(1)) }

  /// As above, with another time between two looks.
  package func balanced(cpus: Int, every interval: Duration) -> Pipeline {
    var options = StageOptions()
    options.balance = SlotBalance(cpus: cpus, interval: interval)
    return grouped(options)
  }
}

/// That groups lend each other slots; which ones do is told by the instance.
final class SlotBalance: Sendable {
  let cpus: Int
  let interval: Duration

  init(cpus: Int, interval: Duration) {
    self.cpus = cpus
    self.interval = interval
  }
}

/// Decides who has how many slots, by what was measured. A pure function of what it is shown.
package struct Balancer {
  /// Those who share slots: what is known of one of them.
  package struct Part: Sendable {
    /// How long its slots have worked, all together, on what they are done with.
    package var busy: UInt64
    /// What that is: so many pieces of work, of which each is known when it is done.
    package var chunks: UInt64
    package var slots: Int
    /// It has items, and has not done any: what its work costs is not known.
    package var isUnknown = false
    package var isOver = false

    package init(busy: UInt64, chunks: UInt64, slots: Int, isUnknown: Bool = false, isOver: Bool = false) {
      (self.busy, self.chunks, self.slots) = (busy, chunks, slots)
      (self.isUnknown, self.isOver) = (isUnknown, isOver)
    }
  }

  /// Others are worth their moving if the run gets faster by this.
  package static var gain: Double { 1.1 }
  /// Who is busier than this is held up by nothing else.
  package static var full: Double { 0.8 }
  /// What is under way is not seen yet: the time that is judged by is so many times as long as the longest piece of work.
  package static var pieces: UInt64 { 32 }
  /// Where there are slots that nobody has, so many: whoever gets one too many takes it from none.
  package static var piecesForSpare: UInt64 { 4 }
  /// After so many looks what was seen before counts half.
  private static var memory: Int { 8 }

  private let limit: Int
  private var seen: [UInt64]
  /// What each has worked since the last change, and in which time.
  private var work: [UInt64]
  private var time: UInt64 = 0
  private var looks = 0

  /// - Parameter limit: how many slots they have together.
  package init(limit: Int, parts: Int) {
    self.limit = limit
    seen = Array(repeating: 0, count: parts)
    work = seen
  }

  /// The widths that they are to have now; nil: those that they have.
  ///
  /// - Parameter interval: the time since the last look, in nanoseconds.
  package mutating func look(_ parts: [Part], after interval: UInt64) -> [Int]? {
    let places = parts.indices.filter { !parts[$0].isOver }
    let longest = places.map { parts[$0].busy / max(1, parts[$0].chunks) }.max() ?? 0
    note(parts, interval, longest)
    let spare = limit - places.reduce(0) { $0 + parts[$1].slots }
    let isSure = time / Self.pieces >= longest
    guard !places.isEmpty, isSure || spare > 0 && time / Self.piecesForSpare >= longest,
      !places.contains(where: { parts[$0].isUnknown })
    else {
      return nil
    }
    /// How long the work of one takes with so many slots: the longest is what the run takes.
    func length(_ place: Int, _ slots: Int) -> Double { Double(work[place]) / Double(slots) }
    let slowest = places.max { length($0, parts[$0].slots) < length($1, parts[$1].slots) }!
    let now = length(slowest, parts[slowest].slots)
    guard now >= Self.full * Double(time) else { return nil }
    let shares = PipelineSnapshot.shares(of: limit, by: places.map { work[$0] })
    let goal = Dictionary(uniqueKeysWithValues: zip(places, shares))
    guard now > Self.gain * goal.map({ length($0.key, $0.value) }).max()! else { return nil }

    var widths = parts.map(\.slots)
    /// How many one has too many, or too few.
    func surplus(_ place: Int) -> Int { widths[place] - goal[place]! }
    for _ in 0..<(isSure ? max(1, limit / 8) : spare) {
      let takers = places.filter { surplus($0) < 0 }
      guard let taker = takers.max(by: { length($0, widths[$0]) < length($1, widths[$1]) }) else { break }
      if places.reduce(0, { $0 + widths[$1] }) >= limit {
        guard let giver = places.max(by: { surplus($0) < surplus($1) }), surplus(giver) > 0 else { break }
        widths[giver] -= 1
      }
      widths[taker] += 1
    }
    work = work.map { _ in 0 }
    (time, looks) = (0, 0)
    return widths == parts.map(\.slots) ? nil : widths
  }

  private mutating func note(_ parts: [Part], _ interval: UInt64, _ longest: UInt64) {
    for (place, part) in parts.enumerated() {
      work[place] += part.busy &- seen[place]
      seen[place] = part.busy
    }
    time += interval
    looks += 1
    guard looks > Self.memory, time / Self.pieces / 2 >= longest else { return }
    work = work.map { $0 / 2 }
    (time, looks) = (time / 2, looks / 2)
  }
}
