#if CLI && Cluster
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A command's jobs as an agent's work: each is run there by the same pieces as here, and its processes end with the worker's.
struct AgentJob: Worker, Codable, Hashable {
  struct Order: Codable, Sendable {
    var sequence: Int
    var arguments: [Bytes]
  }

  /// What came of a try.
  struct Report: Codable, Sendable {
    var slot: Int
    var host: String
    var ending: JobEnding
    var started: UInt64
    var runtimeNanoseconds: UInt64
    var received: Int
    var leavesProcesses: Bool
    var output = Bytes()
    var error = Bytes()
  }

  var command: AgentCommand
  /// In nanoseconds; nil: as long as it takes.
  var limit: UInt64?

  struct State {
    fileprivate let spawner: JobSpawner
    fileprivate let spill: SpillFile
    fileprivate let host: String
  }

  func setUp(_ context: WorkerContext) throws -> State {
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    return State(
      spawner: try JobSpawner(template: command.template, environment: JobSpawner.ownEnvironment()),
      spill: SpillFile(directory: folder.isEmpty ? "/tmp" : folder), host: Self.hostName)
  }

  func process(_ order: Order, state: inout State) async throws -> Report {
    let job = JobValues(
      sequence: order.sequence, slot: (WorkerContext.current?.slot ?? 0) + 1, arguments: order.arguments)
    let gate = StartGate(width: 1) { line in
      try? Bytes("millrace: \(line)\n".utf8).withUnsafeBytes { try writeAll($0, to: 2) }
    }
    let stop = try StopState(gate: gate, processes: state.spawner.processes)
    let runner = JobRunner(
      spawner: state.spawner, grouping: .whole, quiet: QuietStart(isWanted: true), captureMemory: 1 << 20,
      spill: state.spill, stop: stop, limit: { [limit] in limit }, printLines: { _, _, _ in }, readerHasGone: {})
    let result = await withTaskCancellationHandler {
      runner.run(job)
    } onCancel: {
      stop.raise(to: .terminating)
    }
    return try Report(result, on: state.host, state.spill)
  }

  private static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "?" }
    return name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }
}

extension AgentJob.Report {
  fileprivate init(_ result: JobResult, on host: String, _ spill: SpillFile) throws {
    self.init(
      slot: result.job.slot, host: host, ending: result.ending, started: result.started,
      runtimeNanoseconds: result.runtimeNanoseconds, received: result.received,
      leavesProcesses: result.leavesProcesses)
    for (stream, capture) in result.captures {
      var bytes = Bytes()
      try capture.forEachPiece(spill) { bytes += $0 }
      if stream == .output { output = bytes } else { error = bytes }
    }
  }

  /// As if it had run here.
  func result(for job: JobValues, memory: Int, _ spill: SpillFile) throws -> JobResult {
    var result = JobResult(job: job, ending: ending, host: host)
    result.job.slot = slot
    (result.started, result.runtimeNanoseconds) = (started, runtimeNanoseconds)
    (result.received, result.leavesProcesses) = (received, leavesProcesses)
    for (stream, bytes) in [(OutputWriter.Stream.output, output), (.error, error)] where !bytes.isEmpty {
      var capture = Capture(memory: memory)
      try capture.append(bytes, spill: spill)
      result.captures.append((stream, capture))
    }
    return result
  }
}
#endif
