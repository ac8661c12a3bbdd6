#if Cluster
import Millrace
import MillraceIPC
import NIOCore
import NIOPosix

/// A server, with whatever connections that takes: it connects when it is asked, connects again when that has ended, says the password,
/// and knows the scripts.
///
/// What is asked has to bear being asked twice: the first answer may have been lost.
final class RedisClient: Sendable {
  private struct State {
    var connection: RedisConnection?
    /// What the server calls the scripts.
    var digests: [RedisScript: String] = [:]
  }

  let address: RedisAddress
  /// How long somebody is waited for who is not there.
  private let patience: Duration
  private let group: any EventLoopGroup
  /// How the server has ended, if that is known for good.
  private let end: @Sendable () -> String?
  private let state = Lock(State())

  init(
    _ address: RedisAddress, on group: any EventLoopGroup, patience: Duration,
    end: @escaping @Sendable () -> String? = { nil }
  ) {
    (self.address, self.group, self.patience, self.end) = (address, group, patience, end)
  }

  /// One answer.
  func ask(_ command: RESPCommand, within limit: Duration = .seconds(10)) async throws -> RESPValue {
    try await ask([command], within: limit)[0]
  }

  /// The answers, of which none is an error: such as mean "not yet" are waited out, others thrown.
  ///
  /// - Parameter waitsForRoom: whether a server without memory may have some in a moment, when others have taken what is theirs.
  func ask(
    _ commands: [RESPCommand], within limit: Duration = .seconds(10), waitsForRoom: Bool = true
  ) async throws -> [RESPValue] {
    try await patiently(waitsForRoom: waitsForRoom) { connection in
      let answers = try await connection.ask(commands, within: limit)
      for case .error(let text) in answers { throw Self.meaning(text) }
      return answers
    }
  }

  /// What a script returns.
  func run(_ script: RedisScript, _ keys: [String], _ arguments: [[UInt8]], within limit: Duration = .seconds(10))
    async throws -> RESPValue
  {
    try await patiently { connection in
      var digest = self.state.withLock { $0.digests[script] }
      for _ in 0..<3 {
        if digest == nil {
          let answer = try await connection.ask([["SCRIPT", "LOAD", script.text]], within: limit)[0]
          if case .error(let text) = answer { throw Self.meaning(text) }
          digest = answer.string
          self.state.withLock { $0.digests[script] = digest }
        }
        var command: RESPCommand = ["EVALSHA", digest ?? "", "\(keys.count)"]
        for key in keys { command.add(key) }
        for argument in arguments { command.add(argument) }
        let answer = try await connection.ask([command], within: limit)[0]
        guard case .error(let text) = answer else { return answer }
        guard text.hasPrefix("NOSCRIPT") else { throw Self.meaning(text) }
        digest = nil
      }
      throw NotYet(text: "NOSCRIPT")
    }
  }

  func close() async {
    let connection = state.withLock { state in
      defer { state.connection = nil }
      return state.connection
    }
    await connection?.close()
  }

  // MARK: Connections

  /// The server is there, and will answer later.
  private struct NotYet: Error { let text: String }

  /// How long a server is waited for that has no memory.
  private static let patienceForRoom: Duration = .seconds(3)

  private static func meaning(_ text: String) -> any Error {
    let word = text.prefix { $0 != " " }
    switch word {
    case "LOADING", "READONLY", "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "BUSY", "NOREPLICAS":
      return NotYet(text: text)
    case "LOST", "NOGROUP", "UNBLOCKED": return EngineError.lost
    case "FENCED": return EngineError.fenced(String(text.dropFirst(7)))
    case "WRONGPASS", "NOAUTH":
      return EngineError.refused(
        "user or password (\(text)); in a URL, @ : / and % of a password are %40 %3A %2F and %25")
    default: return EngineError.refused(text)
    }
  }

  private func patiently<R>(
    waitsForRoom: Bool = true, _ body: (RedisConnection) async throws -> R
  ) async throws -> R {
    // From when it was missed: what has taken long is asked once more.
    var end: UInt64?
    var roomEnd: UInt64?
    var pause: UInt64 = 10_000_000
    while true {
      let problem: EngineError
      do {
        return try await body(connected())
      } catch let error as EngineError {
        switch error {
        case .unreachable: problem = error
        case .refused(let text) where text.contains("OOM command not allowed") && waitsForRoom:
          let last = roomEnd ?? MonotonicTime.now &+ min(patience, Self.patienceForRoom).nanoseconds
          roomEnd = last
          guard MonotonicTime.now < last, !Task.isCancelled else { throw error }
          try? await Task.sleep(for: .milliseconds(100))
          continue
        default: throw error
        }
      } catch let error as NotYet {
        problem = .unreachable(error.text)
        // Another may have its place by now.
        await close()
      }
      if let why = self.end() { throw EngineError.gone(why) }
      let now = MonotonicTime.now
      let last = end ?? now &+ patience.nanoseconds
      end = last
      guard now < last, !Task.isCancelled else { throw problem }
      try? await Task.sleep(for: .nanoseconds(min(pause, last - now)))
      pause = min(pause * 2, 500_000_000)
    }
  }

  private func connected() async throws -> RedisConnection {
    if let connection = state.withLock({ $0.connection }), connection.isOpen { return connection }
    let connection = try await RedisConnection.open(address, on: group, within: .seconds(5))
    var first: [RESPCommand] = []
    if let password = address.password {
      first.append(address.user.map { ["AUTH", $0, password] } ?? ["AUTH", password])
    }
    first.append(address.database == 0 ? ["PING"] : ["SELECT", "\(address.database)"])
    do {
      for case .error(let text) in try await connection.ask(first, within: .seconds(5)) { throw Self.meaning(text) }
    } catch {
      await connection.close()
      throw error
    }
    state.withLock { state in
      state.connection = connection
      state.digests = [:]
    }
    return connection
  }
}
#endif
