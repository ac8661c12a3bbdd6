#if Cluster
import Millrace
import MillraceIPC

extension RedisEngine {
  var epoch: [UInt8] { Array(driver.utf8) }
  /// Which driver this is, as it stands in the queue.
  private var driver: String { "\(state.withLock { $0.epoch })" }

  package func open(_ manifest: [UInt8]) async throws -> UInt64 {
    try await refuseEviction()
    let answer = try await client.run(
      .open, [keys.epoch, keys.work, keys.manifest, keys.phase, keys.driver],
      [epoch, Array(RedisKeys.group.utf8), manifest, ttl])
    guard answer.array.count == 2, let epoch = answer.array[0].integer, let last = Self.id(answer.array[1]) else {
      throw EngineError.refused("an answer that makes no sense: \(answer)")
    }
    state.withLock { state in
      (state.epoch, state.beats) = (epoch, 0)
      // If it has forgotten everything, its results begin anew; those that come twice are known to the driver.
      state.read = "0-0"
    }
    return last
  }

  /// A server that drops keys when its memory is full loses work in silence.
  private func refuseEviction() async throws {
    let answer: RESPValue
    do { answer = try await client.ask(["CONFIG", "GET", "maxmemory-policy"]) } catch EngineError.refused(let why) {
      // Whoever runs it lets nobody ask.
      if why.hasPrefix("NOPERM") || why.hasPrefix("ERR") { return }
      throw EngineError.refused(why)
    }
    guard let policy = answer.array.dropFirst().first?.string, policy != "noeviction" else { return }
    throw EngineError.refused(
      "the server's maxmemory-policy is \(policy), and would drop work: it has to be noeviction")
  }

  package func announce(_ worker: Int, _ announcement: [UInt8]) async throws {
    _ = try await client.run(.announce, [keys.epoch, keys.workers], [epoch] + words("\(worker)") + [announcement])
  }

  package func submit(_ work: [Work]) async throws {
    let driver = driver
    var arguments = words(driver)
    for work in work {
      let bytes = try await stored(work.bytes, work.id, of: driver, isResult: false)
      if let (key, _) = place(bytes, work.id, isResult: false) { state.withLock { _ = $0.large.insert(key) } }
      arguments += [Array("\(work.id)".utf8), bytes]
    }
    _ = try await client.run(.submit, [keys.epoch, keys.work], arguments)
  }

  package func results(upTo count: Int, within wait: Duration) async throws -> [WorkResult] {
    let (read, mine) = state.withLock { ($0.read, $0.epoch) }
    let milliseconds = max(1, wait.nanoseconds / 1_000_000)
    // Whose they are is asked behind them: a driver that came before has given out the same numbers.
    let answers = try await waiter.ask(
      [
        ["XREAD", "COUNT", "\(count)", "BLOCK", "\(milliseconds)", "STREAMS", keys.results, read],
        ["GET", keys.epoch],
      ], within: wait + .seconds(10))
    guard let epoch = answers[1].integer, epoch >= mine else { throw EngineError.lost }
    guard epoch == mine else { throw EngineError.fenced("epoch \(epoch), not \(mine)") }
    let entries = answers[0].array.first?.array.last?.array ?? []
    var results: [WorkResult] = []
    for entry in entries {
      guard let id = Self.field("i", of: entry)?.integer.flatMap({ UInt64(exactly: $0) }),
        let stored = Self.field("b", of: entry)?.bytes,
        let bytes = try await whole(stored, id, isResult: true)
      else { continue }
      let work = keys.large(id, of: "\(mine)", isResult: false)
      let place = place(stored, id, isResult: true)
      state.withLock { state in
        if state.large.remove(work) != nil { state.spent.append(work) }
        if let place { state.spent.append(place.key) }
      }
      results.append(WorkResult(id: id, agent: Self.field("a", of: entry)?.string ?? "", bytes: bytes))
    }
    if let last = entries.last?.array.first?.string {
      // Unless it was opened again meanwhile.
      state.withLock { state in if state.read == read { state.read = last } }
    }
    return results
  }

  package func settle() async throws {
    let read = state.withLock { $0.read }
    let parts = read.split(separator: "-")
    guard parts.count == 2, let sequence = UInt64(parts[1]) else { return }
    _ = try await client.run(.settle, [keys.epoch, keys.results], [epoch] + words("\(parts[0])-\(sequence + 1)"))
    try await removeSpent()
  }

  /// Behind what only the driver may do: whoever has the job now needs what a driver before it was done with.
  private func removeSpent() async throws {
    let spent = state.withLock { state in
      defer { state.spent = [] }
      return state.spent
    }
    if !spent.isEmpty { _ = try await client.ask(RESPCommand(["UNLINK"] + spent)) }
  }

  package func missing(of ids: [UInt64]) async throws -> [UInt64] {
    let answer = try await client.run(
      .missing, [keys.epoch, keys.work, keys.results], [epoch] + ids.map { Array("\($0)".utf8) })
    return answer.array.compactMap { $0.integer.flatMap { UInt64(exactly: $0) } }
  }

  package func members() async throws -> [Member] {
    let answers = try await client.ask([
      ["HGETALL", keys.members], ["HGETALL", keys.counts], ["HKEYS", keys.drains], ["HGETALL", keys.late],
    ])
    let (members, counts, late) = (Self.pairs(answers[0]), Self.pairs(answers[1]), Self.pairs(answers[3]))
    let drains = Set(answers[2].array.compactMap(\.string))
    guard !members.isEmpty else { return [] }
    // Who has left meanwhile is not lost: an agent takes its name away before it says that it is not there.
    let alive = try await client.ask(
      members.flatMap { [["EXISTS", keys.alive($0.name)], ["HEXISTS", keys.members, $0.name]] })
    var found: [Member] = []
    for (place, pair) in members.enumerated() {
      var member = Member(name: pair.name, description: pair.value)
      member.isAlive = alive[2 * place].integer == 1
      if !member.isAlive, alive[2 * place + 1].integer != 1 { continue }
      member.isDraining = drains.contains(pair.name)
      member.results = counts.first { $0.name == pair.name }.flatMap { Int($0.value) } ?? 0
      member.lateResults = late.first { $0.name == pair.name }.flatMap { Int($0.value) } ?? 0
      found.append(member)
    }
    let gone = found.filter { !$0.isAlive }.map(\.name)
    // Told of once.
    if !gone.isEmpty, state.withLock({ $0.epoch > 0 }) {
      _ = try await client.ask(RESPCommand(["HDEL", keys.members] + gone))
    }
    return found.sorted { $0.name < $1.name }
  }

  package func drained() async throws -> Set<String> {
    Set(try await client.ask(["HKEYS", keys.drains]).array.compactMap(\.string))
  }

  private static func pairs(_ answer: RESPValue) -> [(name: String, value: String)] {
    let values = answer.array.map { $0.string ?? "" }
    return stride(from: 0, to: values.count - 1, by: 2).map { (values[$0], values[$0 + 1]) }
  }

  package func cancel(_ ids: [UInt64]) async throws {
    let (group, driver) = (words(RedisKeys.group), driver)
    _ = try await client.run(
      .cancel, [keys.epoch, keys.work, keys.starts], [epoch] + group + ids.map { Array("\($0)".utf8) })
    state.withLock { state in
      for key in ids.map({ keys.large($0, of: driver, isResult: false) }) where state.large.remove(key) != nil {
        state.spent.append(key)
      }
    }
    try await removeSpent()
  }

  package func change(to phase: JobPhase) async throws {
    // What is out may be so for longer than anything lives that nobody looks after.
    let (large, beats) = state.withLock { (Array($0.large), $0.beats) }
    let answer = try await client.run(
      .change, [keys.epoch, keys.phase, keys.driver, keys.beats] + keys.lasting + large,
      [epoch] + words(phase.rawValue) + [ttl] + words("\(RedisKeys.life)", "\(beats)"))
    // Unless it was opened again meanwhile.
    state.withLock { state in if state.beats == beats { state.beats = answer.integer ?? beats } }
  }

  package func finish() async throws {
    let run: Result<RESPValue, any Error>
    do {
      run = .success(
        try await client.run(
          .finish, [keys.epoch, keys.phase, keys.driver, keys.beats, keys.looked] + keys.lasting, [epoch] + [ttl]))
    } catch EngineError.fenced(let why) {
      // Work of its own is nobody else's. What it has read of results is.
      state.withLock { $0.spent = [] }
      run = .failure(EngineError.fenced(why))
    }
    state.withLock { $0.spent += $0.large }
    try await removeSpent()
    _ = try run.get()
  }
}
#endif
