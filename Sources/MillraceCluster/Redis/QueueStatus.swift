#if Cluster
import Millrace

/// How a job in a queue is: for people, and for programs.
package struct QueueStatus: Sendable {
  package var job: String
  /// Nil: it has no phase, for nothing is left of it.
  package var phase: JobPhase?
  package var hasDriver = false
  package var members: [Member] = []
  /// How many chunks each member has.
  package var leases: [String: Int] = [:]
  /// Chunks that nobody has.
  package var queued = 0
  /// Results that the driver has not taken.
  package var results = 0
  /// How many items were delivered of each run that may go on.
  package var runs: [String: Int] = [:]

  package var table: String {
    let state =
      phase.map { hasDriver || $0 == .finished ? $0.rawValue : "\($0.rawValue), without a driver" } ?? "unknown"
    var lines = ["job \(job): \(state); \(queued) chunks queued, \(results) results waiting"]
    if members.isEmpty { lines[0] += "; no agents" }
    lines += runs.sorted { $0.key < $1.key }.map { "run \($0.key): \($0.value) items delivered" }
    if members.isEmpty { return lines.joined(separator: "\n") }
    var rows = [["agent", "host", "process", "slots", "chunks", "done", "late", "state"]]
    for member in members {
      let state =
        !member.isAlive
        ? "lost" : !member.refusal.isEmpty ? member.refusal : member.isDraining ? "draining" : "working"
      rows.append([
        member.name, member.host, "\(member.process)", "\(member.slots)", "\(leases[member.name] ?? 0)",
        "\(member.results)", "\(member.lateResults)", state,
      ])
    }
    let widths = rows[0].indices.map { column in rows.reduce(0) { max($0, $1[column].count) } }
    for row in rows {
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      lines.append(String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed()))
    }
    return lines.joined(separator: "\n")
  }

  package var json: String {
    let agents = members.map { member in
      """
      {"name":\(member.name.quotedForJSON),"host":\(member.host.quotedForJSON),"process":\(member.process),\
      "slots":\(member.slots),"chunks":\(leases[member.name] ?? 0),"done":\(member.results),"late":\(member.lateResults),"alive":\(member.isAlive),\
      "draining":\(member.isDraining),\
      "refusal":\(member.refusal.quotedForJSON)}
      """
    }
    let runs = runs.sorted { $0.key < $1.key }.map { "\($0.key.quotedForJSON):\($0.value)" }
    return """
      {"job":\(job.quotedForJSON),"phase":\((phase?.rawValue).map(\.quotedForJSON) ?? "null"),"driver":\(hasDriver),\
      "queued":\(queued),"results":\(results),"runs":{\(runs.joined(separator: ","))},\
      "agents":[\(agents.joined(separator: ","))]}
      """
  }
}

extension RedisEngine {
  /// How its job is. Changes nothing of it.
  package func status() async throws -> QueueStatus {
    var status = QueueStatus(job: keys.job)
    let answers = try await client.ask([
      ["GET", keys.phase], ["EXISTS", keys.driver], ["XLEN", keys.results], ["XLEN", keys.work], ["EXISTS", keys.work],
    ])
    status.phase = answers[0].string.flatMap(JobPhase.init)
    status.hasDriver = answers[1].integer == 1
    status.results = answers[2].integer ?? 0
    status.runs = try await runs()
    status.members = try await members()
    guard answers[4].integer == 1 else { return status }
    let pending = try await client.ask(["XPENDING", keys.work, RedisKeys.group]).array
    status.queued = max(0, (answers[3].integer ?? 0) - (pending.first?.integer ?? 0))
    for pair in pending.last?.array ?? [] {
      guard let holder = pair.array.first?.string, let count = pair.array.last?.integer else { continue }
      status.leases[holder.hasSuffix(RedisKeys.ahead) ? String(holder.dropLast()) : holder, default: 0] += count
    }
    return status
  }
}
#endif
