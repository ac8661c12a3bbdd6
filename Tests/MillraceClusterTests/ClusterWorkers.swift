import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#endif

/// What the tests' agents run.
struct Square: StatelessWorker {
  func process(_ item: Int) -> Int { item * item }
}

/// Whose outputs cancel the map that they are for, when they have come there.
struct CancelsItsMap: StatelessWorker {
  struct Output: Codable, Sendable {
    static let map = Lock<Task<Void, any Error>?>(nil)

    init() {}
    init(from decoder: any Decoder) throws { Self.map.withLock { $0 }?.cancel() }
    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(0)
    }
  }

  func process(_ item: Int) -> Output { Output() }
}

/// Does to items what their text says.
struct Mischief: StatelessWorker {
  struct Refused: Error, Codable, Equatable { var item: String }

  func process(_ item: String) async throws -> String {
    switch item {
    case "throw": throw Refused(item: item)
    case "trap": fatalError("as asked")
    case "exit": exit(7)
    case "wait": while true { try await Task.sleep(for: .milliseconds(5)) }
    // The agent's process is the parent of its fork server or of its worker; both are in it.
    case "kill the agent": kill(agentProcess(), SIGKILL)
    default: break
    }
    return item.uppercased()
  }
}

/// Waits until its task is cancelled, and leaves files that say so beside the path.
struct Waiting: StatelessWorker {
  func process(_ path: String) async throws -> Int32 {
    if path.isEmpty { return getpid() }
    fclose(fopen("\(path).begun", "w"))
    try await withTaskCancellationHandler {
      do { try await Task.sleep(for: .seconds(30)) } catch {
        fclose(fopen("\(path).thrown", "w"))
        throw error
      }
    } onCancel: {
      fclose(fopen("\(path).told", "w"))
    }
    return 0
  }
}

/// Says where it runs.
struct Whereabouts: StatelessWorker {
  struct Place: Codable, Equatable, Sendable {
    var index: Int
    var attempt: Int
    var random: UInt64
    var process: Int32
  }

  func process(_ item: Int) -> Place {
    guard let context = WorkerContext.current else { return Place(index: -1, attempt: 0, random: 0, process: 0) }
    var random = context.random
    return Place(index: context.index, attempt: context.attempt, random: random.next(), process: agentProcess())
  }
}

/// Cannot be set up.
struct Unfit: Worker {
  struct NoLicence: Error, Codable, Equatable {}
  func setUp(_ context: WorkerContext) throws -> Int { throw NoLicence() }
  func process(_ item: Int, state: inout Int) -> Int { item }
}

/// Whose set-up takes an hour.
struct Late: Worker {
  func setUp(_ context: WorkerContext) async throws -> Int {
    try await Task.sleep(for: .seconds(3_600))
    return 0
  }
  func process(_ item: Int, state: inout Int) -> Int { item }
}

/// Takes so long for each.
struct Slow: StatelessWorker {
  var pause: Duration
  func process(_ item: Int) async throws -> Int {
    try await Task.sleep(for: pause)
    return item
  }
}

/// The agent that this worker process belongs to: the oldest ancestor that runs this program, below the tests.
func agentProcess() -> Int32 {
  var process = getppid()
  while let parent = parent(of: process), isAgent(parent) { process = parent }
  return process
}

func parent(of process: Int32) -> Int32? {
  guard let text = try? readFile("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return nil }
  return text[end...].split(separator: " ").dropFirst(2).first.flatMap { Int32($0) }
}

/// Whether the process has the mark of an agent in the environment that it began with.
private func isAgent(_ process: Int32) -> Bool {
  (try? readFile("/proc/\(process)/environ"))?.contains("MILLRACE_AGENT=") == true
}

func readFile(_ name: String) throws -> String {
  let file = open(name, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { throw SystemError("open \(name)", errno) }
  defer { close(file) }
  var bytes: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 4_096)
  while case let count = read(file, &piece, piece.count), count > 0 { bytes += piece[..<count] }
  return String(decoding: bytes, as: UTF8.self)
}
