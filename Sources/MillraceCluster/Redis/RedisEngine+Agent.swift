#if Cluster
import Millrace
import MillraceIPC

extension RedisEngine {
  package func manifest() async throws -> [UInt8]? { try await client.ask(["GET", keys.manifest]).bytes }

  package func join(_ member: Member) async throws {
    _ = try await client.run(
      .join, [keys.members, keys.alive(member.name), keys.manifest],
      words(member.name, member.description) + [ttl])
  }

  package func announcement(of worker: Int) async throws -> [UInt8]? {
    try await client.ask(["HGET", keys.workers, "\(worker)"]).bytes
  }

  package func lease(
    upTo count: Int, ahead: Int, takesSuspect: Bool, for agent: String, within wait: Duration
  ) async throws -> [Lease] {
    let now = MonotonicTime.now
    // What others have let go of, or have died with.
    let looks = state.withLock { state in
      guard count > 0, now &- state.lookedAt >= min(lease.nanoseconds / 4, 250_000_000) else { return false }
      state.lookedAt = now
      return true
    }
    if looks {
      let answer = try await waiter.run(
        .reclaim, [keys.work, keys.looked, keys.starts],
        words(RedisKeys.group, agent) + [ttl]
          + words("\(count)", "\(max(1, min(lease.nanoseconds / 8_000_000, 50)))", takesSuspect ? "1" : "0"))
      let (entries, counts) = (answer.array.first?.array ?? [], answer.array.last?.array ?? [])
      var leases = try await leases(entries, for: agent, isRepeated: true)
      for (place, lease) in leases.enumerated() {
        let entry = entries.firstIndex { $0.array.first.flatMap(Self.id) == lease.work.id }
        leases[place].isSuspect = entry.flatMap { $0 < counts.count ? counts[$0].integer : nil } ?? 0 > 1
      }
      if !leases.isEmpty { return leases }
    }
    let milliseconds = max(1, wait.nanoseconds / 1_000_000)
    var commands: [RESPCommand] = []
    // The first waits, and the second takes what else there is by then.
    for (reader, most) in [(agent, count), (agent + RedisKeys.ahead, ahead)] where most > 0 {
      var command: RESPCommand = ["XREADGROUP", "GROUP", RedisKeys.group, reader, "COUNT", "\(most)"]
      if commands.isEmpty { for word in ["BLOCK", "\(milliseconds)"] { command.add(word) } }
      for word in ["STREAMS", keys.work, ">"] { command.add(word) }
      commands.append(command)
    }
    let answers = try await waiter.ask(commands, within: wait + .seconds(10))
    return try await leases(
      answers.flatMap { $0.array.first?.array.last?.array ?? [] }, for: agent, isRepeated: false)
  }

  private func leases(_ entries: [RESPValue], for agent: String, isRepeated: Bool) async throws -> [Lease] {
    var leases: [Lease] = []
    for entry in entries {
      guard let id = entry.array.first.flatMap(Self.id), let stored = Self.field("b", of: entry)?.bytes else {
        continue
      }
      guard let bytes = try await whole(stored, id, isResult: false) else {
        // Nobody can run it. Its driver, if it is still there, finds that it is missing.
        _ = try await client.run(.discard, [keys.work, keys.starts], words(RedisKeys.group, agent, "\(id)"))
        continue
      }
      leases.append(Lease(Work(id: id, bytes: bytes), isRepeated: isRepeated))
    }
    return leases
  }

  package func started(_ id: UInt64, item: Int, by agent: String, called title: String) async throws -> Losses {
    let answer = try await client.run(
      .started, [keys.starts, keys.work], words("\(id)", "\(item)", agent, RedisKeys.group, title)
    ).array
    guard answer.count == 2, let count = answer[0].integer, let last = answer[1].string else {
      throw EngineError.refused("an answer that makes no sense: \(answer)")
    }
    return Losses(count, last: last.isEmpty ? nil : last)
  }

  package func renew(_ ids: [UInt64], for agent: String) async throws -> Renewal {
    let answer = try await client.run(
      .renew, [keys.work, keys.phase, keys.driver, keys.members, keys.alive(agent), keys.drains],
      words(RedisKeys.group, agent) + [ttl] + ids.map { Array("\($0)".utf8) })
    guard answer.array.count == 4 else { throw EngineError.refused("an answer that makes no sense: \(answer)") }
    return Renewal(
      refused: answer.array[2].array.compactMap { $0.integer.flatMap { UInt64(exactly: $0) } },
      phase: answer.array[0].string.flatMap(JobPhase.init), isMember: answer.array[1].integer == 1,
      unspoken: answer.array[3].array.compactMap(Self.id))
  }

  package func complete(_ results: [(id: UInt64, bytes: [UInt8])], by agent: String) async throws -> [Bool] {
    var calls: [(keys: [String], arguments: [[UInt8]])] = []
    for (id, result) in results {
      let bytes = try await stored(result, id, of: agent, isResult: true)
      let beside = place(bytes, id, isResult: true).map { [$0.key] } ?? []
      calls.append(
        (
          [keys.work, keys.results, keys.starts, keys.members, keys.counts, keys.late] + beside,
          words(RedisKeys.group, "\(id)", agent) + [bytes]
        ))
    }
    return try await client.run(.complete, calls, within: .seconds(60)).map { $0.integer == 1 }
  }

  package func release(_ ids: [UInt64], by agent: String) async throws {
    guard !ids.isEmpty else { return }
    _ = try await client.run(
      .release, [keys.work, keys.starts, keys.looked], words(RedisKeys.group, agent) + ids.map { Array("\($0)".utf8) })
  }

  package func leave(_ agent: String) async throws {
    _ = try await client.ask([
      ["HDEL", keys.members, agent], ["DEL", keys.alive(agent)],
    ])
  }
}
#endif
