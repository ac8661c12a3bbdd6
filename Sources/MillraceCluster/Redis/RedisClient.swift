#if Cluster
import Millrace
import MillraceIPC
import NIOCore
import NIOPosix
import NIOSSL

/// A server, with whatever connections that takes: it connects when it is asked, connects again when that has ended, says the password,
/// and knows the scripts.
///
/// What is asked has to bear being asked twice: the first answer may have been lost.
final class RedisClient: Sendable {
  private struct State {
    var connection: RedisConnection?
    /// Opens one, for all who ask meanwhile.
    var opening: Task<RedisConnection, any Error>?
    /// What the server calls the scripts.
    var digests: [RedisScript: String] = [:]
    /// Made once: it has read files.
    var security: NIOSSLContext?
    /// One that was opened, and has not answered yet.
    var early: RedisConnection?
    /// How many are asking.
    var asking = 0
    var hasEnded = false
  }

  let address: RedisAddress
  /// How long somebody is waited for who is not there.
  private let patience: Duration
  private let group: any EventLoopGroup
  /// How the server has ended, if that is known for good.
  private let gone: @Sendable () -> String?
  private let state = Lock(State())
  /// One has asked, or opened, for whose end somebody may wait.
  private let isDone = TaskBell()

  init(
    _ address: RedisAddress, on group: any EventLoopGroup, patience: Duration,
    end: @escaping @Sendable () -> String? = { nil }
  ) {
    (self.address, self.group, self.patience, gone) = (address, group, patience, end)
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
    try await run(script, [(keys, arguments)], within: limit)[0]
  }

  /// What a script returns for each of these, which are sent in one go. If one is refused, others may have been carried out.
  func run(
    _ script: RedisScript, _ calls: [(keys: [String], arguments: [[UInt8]])], within limit: Duration = .seconds(10)
  ) async throws -> [RESPValue] {
    try await patiently { connection in
      var digest = self.state.withLock { $0.digests[script] }
      for _ in 0..<3 {
        if digest == nil {
          let answer = try await connection.ask([["SCRIPT", "LOAD", script.text]], within: limit)[0]
          if case .error(let text) = answer { throw Self.meaning(text) }
          digest = answer.string
          self.state.withLock { $0.digests[script] = digest }
        }
        let commands = calls.map { call in
          var command: RESPCommand = ["EVALSHA", digest ?? "", "\(call.keys.count)"]
          for key in call.keys { command.add(key) }
          for argument in call.arguments { command.add(argument) }
          return command
        }
        let answers = try await connection.ask(commands, within: limit)
        let errors = answers.compactMap { if case .error(let text) = $0 { text } else { nil } }
        if let text = errors.first(where: { !$0.hasPrefix("NOSCRIPT") }) { throw Self.meaning(text) }
        if errors.isEmpty { return answers }
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

  /// Whoever asks now, or will, hears that nobody answers any more. Returns when nobody is at it: its loops may be ended behind that.
  func end() async {
    let connections = state.withLock { state in
      state.hasEnded = true
      defer { state.connection = nil }
      return [state.connection, state.early]
    }
    for connection in connections { await connection?.close() }
    while state.withLock({ $0.asking > 0 || $0.opening != nil }) { await isDone.waitForRing() }
  }

  private static let ended = EngineError.gone("its connections were let go of")

  // MARK: Connections

  /// Lets go of this one, and of no other that has its place by now.
  func drop(_ connection: RedisConnection) async {
    state.withLock { state in if state.connection === connection { state.connection = nil } }
    await connection.close()
  }

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
    case "LIVE": return EngineError.live(String(text.dropFirst(5)))
    case "WRONGPASS", "NOAUTH":
      return EngineError.refused(
        "user or password (\(text)); in a URL, @ : / and % of a password are %40 %3A %2F and %25")
    default: return EngineError.refused(text)
    }
  }

  private func patiently<R>(
    waitsForRoom: Bool = true, _ body: (RedisConnection) async throws -> R
  ) async throws -> R {
    try state.withLock { state in
      if state.hasEnded { throw Self.ended }
      state.asking += 1
    }
    defer {
      state.withLock { $0.asking -= 1 }
      isDone.ring()
    }
    // From when it was missed: what has taken long is asked once more.
    var end: UInt64?
    var roomEnd: UInt64?
    var pause: UInt64 = 10_000_000
    while true {
      let problem: EngineError
      var connection: RedisConnection?
      do {
        let found = try await connected()
        connection = found
        return try await body(found)
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
        // Another server may have its place by now.
        if let connection { await drop(connection) }
      }
      if state.withLock({ $0.hasEnded }) { throw Self.ended }
      if let why = self.gone() { throw EngineError.gone(why) }
      let now = MonotonicTime.now
      let last = end ?? now &+ patience.nanoseconds
      end = last
      guard now < last, !Task.isCancelled else { throw problem }
      try? await Task.sleep(for: .nanoseconds(min(pause, last - now)))
      pause = min(pause * 2, 500_000_000)
    }
  }

  /// The one connection, which is opened for all who ask meanwhile.
  func connected() async throws -> RedisConnection {
    if let connection = standing { return connection }
    let opening = state.withLock { state in
      let opening = state.opening ?? Task { try await self.opened() }
      state.opening = opening
      return opening
    }
    do { return try await opening.value } catch let error as Speechless { throw await explained(error.cause) }
  }

  /// Somebody is there, and what was said first was not answered.
  private struct Speechless: Error { let cause: any Error }

  private var standing: RedisConnection? { state.withLock { $0.connection }.flatMap { $0.isOpen ? $0 : nil } }

  private func opened() async throws -> RedisConnection {
    let result: Result<RedisConnection, any Error>
    do {
      // It may have come to be between the look and the task.
      if let connection = standing { result = .success(connection) } else { result = .success(try await connect()) }
    } catch { result = .failure(error) }
    let isLate = state.withLock { state in
      state.early = nil
      if case .success(let connection) = result, !state.hasEnded {
        state.connection = connection
        state.digests = [:]
      }
      return state.hasEnded
    }
    if isLate, case .success(let connection) = result { await connection.close() }
    state.withLock { $0.opening = nil }
    isDone.ring()
    if isLate { throw Self.ended }
    return try result.get()
  }

  private func connect() async throws -> RedisConnection {
    let connection = try await RedisConnection.open(address, try security(), on: group, within: .seconds(5))
    let isLate = state.withLock { state in
      state.early = connection
      return state.hasEnded
    }
    if isLate {
      await connection.close()
      throw Self.ended
    }
    var first: [RESPCommand] = []
    if let password = address.password {
      first.append(address.user.map { ["AUTH", $0, password] } ?? ["AUTH", password])
    }
    first.append(address.database == 0 ? ["PING"] : ["SELECT", "\(address.database)"])
    do {
      for case .error(let text) in try await firstAnswers(first, connection) { throw Self.meaning(text) }
    } catch {
      await connection.close()
      throw Speechless(cause: error)
    }
    return connection
  }

  private func security() throws -> NIOSSLContext? {
    guard address.isSecure else { return nil }
    if let security = state.withLock({ $0.security }) { return security }
    let security = try address.tls.context()
    state.withLock { $0.security = security }
    return security
  }

  private var probe: RedisProbe { RedisProbe(address: address, group: group) }

  /// A server without TLS waits for the end of what it takes for a line, and says nothing. So it is asked otherwise, after a moment.
  private func firstAnswers(_ commands: [RESPCommand], _ connection: RedisConnection) async throws -> [RESPValue] {
    guard address.isSecure else { return try await connection.ask(commands, within: .seconds(5)) }
    let isPlain = Lock(false)
    let doubt = Task { [probe] in
      try await Task.sleep(for: .milliseconds(500))
      guard await probe.speaksPlainly(), !Task.isCancelled else { return }
      isPlain.withLock { $0 = true }
      await connection.close()
    }
    let answers: Result<[RESPValue], any Error>
    do { answers = .success(try await connection.ask(commands, within: .seconds(5))) } catch {
      answers = .failure(error)
    }
    doubt.cancel()
    _ = await doubt.result
    if isPlain.withLock({ $0 }) { throw EngineError.address("redis://…, for the server speaks without TLS") }
    return try answers.get()
  }

  /// Why no connection came about, as far as the server can be asked.
  private func explained(_ error: any Error) async -> any Error {
    switch error as? EngineError {
    case .unsigned?:
      await probe.verdict().map { EngineError.untrusted($0) } ?? error
    // It does not even say goodbye to somebody who speaks without.
    case .unreachable? where !address.isSecure && !Task.isCancelled:
      await probe.certificates() == nil ? error : EngineError.address("rediss://…, for the server speaks TLS only")
    default: error
    }
  }
}
#endif
