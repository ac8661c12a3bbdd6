#if Cluster
import Millrace
import MillraceIPC

/// What is kept of runs, beyond the end of their drivers.
extension RedisEngine {
  /// How long a run may rest.
  private static let rest = Array("\(Duration.seconds(7 * 86_400).nanoseconds / 1_000_000)".utf8)
  /// As much is asked for at once.
  private static let piece = 1 << 20

  package func resume(
    _ run: String, _ head: [UInt8], delivered known: [UInt8]
  ) async throws -> (head: [UInt8], delivered: [UInt8]) {
    let found = try await client.run(
      .resume, [keys.epoch, keys.run(run), keys.delivered(run), keys.scratch(run)], [epoch, head, Self.rest, known],
      within: .seconds(60))
    guard let found = found.bytes else { throw EngineError.refused("an answer that makes no sense: \(found)") }
    var delivered: [UInt8] = []
    while true {
      let answer = try await client.ask([
        "GETRANGE", keys.delivered(run), "\(delivered.count)", "\(delivered.count + Self.piece - 1)",
      ])
      let bytes = answer.bytes ?? []
      delivered += bytes
      if bytes.count < Self.piece { return (found, delivered) }
    }
  }

  package func delivered(_ indices: [Int], of run: String) async throws {
    _ = try await client.run(
      .delivered, [keys.epoch, keys.run(run), keys.delivered(run)],
      [epoch, Self.rest] + indices.map { Array("\($0)".utf8) })
  }

  package func forget(_ run: String) async throws {
    _ = try await client.run(.forget, [keys.epoch, keys.run(run), keys.delivered(run)], [epoch])
  }
}
#endif
