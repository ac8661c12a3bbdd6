#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

/// The engines that the contract is tried on.
enum QueueKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case inMemory = "in memory"
  case redis = "Redis"

  var testDescription: String { rawValue }

  /// Those that can be tried here; what is missing is said by ``ContractTests/isThere()``.
  static var here: [QueueKind] { allCases.filter { $0 != .redis || hasServer } }
  static let hasServer = ManagedServer.isOnPath("redis-server")
}

/// A queue, and as many drivers and agents as want to use it.
final class QueueLab: Sendable {
  private let memory = InMemoryEngine.Server()
  let server: ManagedServer?
  private let engines = Lock<[any WorkEngine]>([])
  let job = "lab"

  init(_ kind: QueueKind) throws { server = kind == .redis ? try ManagedServer() : nil }

  func client(lease: Duration = .seconds(30)) -> any WorkEngine {
    let engine: any WorkEngine =
      if let server {
        RedisEngine(server.address, job: job, lease: lease, patience: .seconds(10))
      } else {
        InMemoryEngine(memory, lease: lease)
      }
    engines.withLock { $0.append(engine) }
    return engine
  }

  /// A driver that has the job.
  func driver(lease: Duration = .seconds(30)) async throws -> any WorkEngine {
    let driver = client(lease: lease)
    _ = try await driver.open(Manifest().bytes)
    return driver
  }

  /// An agent that has joined it.
  func agent(_ name: String, lease: Duration = .seconds(30)) async throws -> any WorkEngine {
    let agent = client(lease: lease)
    try await agent.join(Member(name: name))
    return agent
  }

  /// The queue loses all that it has.
  func forget() async throws {
    if server == nil { return memory.forget() }
    _ = try await ask(["FLUSHALL"])
  }

  /// What brings back what the queue has now, and nothing else: as a server does that had written it down, and was killed.
  func past() async throws -> () async throws -> Void {
    if server == nil {
      let past = memory.past
      return { [memory] in memory.goBack(to: past) }
    }
    var commands: [RESPCommand] = [["MULTI"], ["FLUSHALL"]]
    for key in try await ask(["KEYS", "*"]).array.compactMap(\.string) {
      var command: RESPCommand = ["RESTORE", key, "0"]
      command.add(try await ask(["DUMP", key]).bytes ?? [])
      commands.append(command)
    }
    commands.append(["EXEC"])
    guard let engine = client() as? RedisEngine else { return {} }
    return { [commands] in _ = try await engine.client.ask(commands) }
  }

  /// The keys that are left; in memory, whether anything is.
  func leftovers() async throws -> [String] {
    if server == nil { return memory.isEmpty ? [] : ["something"] }
    return try await ask(["KEYS", "*"]).array.compactMap(\.string).sorted()
  }

  func ask(_ command: RESPCommand) async throws -> RESPValue {
    let engine = client()
    guard let engine = engine as? RedisEngine else { return .null }
    return try await engine.client.ask(command)
  }

  func end() async {
    for engine in engines.withLock({ $0 }) { await engine.close() }
    await server?.end()
  }
}

/// Runs the body on a queue that is gone afterwards.
func withLab(_ kind: QueueKind, _ body: (QueueLab) async throws -> Void) async throws {
  let lab = try QueueLab(kind)
  let result: Result<Void, any Error>
  do { result = .success(try await body(lab)) } catch { result = .failure(error) }
  await lab.end()
  try result.get()
}

/// Whether the error, or what it is about, says this.
func says(_ error: WorkerPoolError?, _ words: String) -> Bool {
  guard let error else { return false }
  return "\(error) \(error.underlying.map { "\($0)" } ?? "")".contains(words)
}

func work(_ ids: UInt64...) -> [Work] { ids.map { Work(id: $0, bytes: Array("work \($0)".utf8)) } }
#endif
