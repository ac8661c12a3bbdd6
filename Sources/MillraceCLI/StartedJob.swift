#if CLI
internal import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A job that runs, and what we hold of it.
struct StartedJob: ~Copyable {
  let id: pid_t
  /// Readable when the job has ended.
  let process: Descriptor
  /// Rung when there is news of the run.
  let bell: Descriptor
  /// The streams that we read, by their descriptors, which `output` and `error` own.
  let streams: [(stream: OutputWriter.Stream, descriptor: Int32)]
  private let output: Descriptor?
  private let error: Descriptor?

  private init(
    id: pid_t, process: consuming Descriptor, bell: consuming Descriptor,
    streams: [(stream: OutputWriter.Stream, descriptor: Int32)], output: consuming Descriptor?,
    error: consuming Descriptor?
  ) {
    self.id = id
    self.process = process
    self.bell = bell
    self.streams = streams
    self.output = output
    self.error = error
  }

  /// Thrown for a job that was begun and cannot be followed; it has been killed.
  struct Lost: Error, CustomStringConvertible {
    let description: String
  }

  /// Starts a job.
  ///
  /// After an error that is not `Lost` nothing of the job was begun and nothing is held.
  /// - Parameter captures: whether its output comes to us, or goes where ours goes.
  static func start(
    _ job: JobValues, _ spawner: JobSpawner, captures: Bool, gate: StartGate
  ) throws -> StartedJob {
    let bell = try makeBell()
    guard captures else {
      // The descriptor of the process takes its place.
      let place = try makeBell()
      let id = try spawner.start(job, output: 1, error: 2)
      _ = consume place
      return StartedJob(id: id, process: try hold(id, gate), bell: bell, streams: [], output: nil, error: nil)
    }
    let outputPipe = try makePipe()
    let errorPipe = try makePipe()
    let id = try spawner.start(job, output: outputPipe.writing.rawValue, error: errorPipe.writing.rawValue)
    let output = outputPipe.closeWriting()
    let error = errorPipe.closeWriting()
    let streams = [(OutputWriter.Stream.output, output.rawValue), (.error, error.rawValue)]
    return StartedJob(
      id: id, process: try hold(id, gate), bell: bell, streams: streams, output: output, error: error)
  }

  private static func makeBell() throws(SystemError) -> Descriptor {
    try SystemError.saying("cannot make an event descriptor", Descriptor.bell)
  }

  private static func makePipe() throws(SystemError) -> Pipe {
    try SystemError.saying("cannot make a pipe", Pipe.init)
  }

  private static let patience: UInt64 = 5_000_000_000

  /// A descriptor of a process that was just started.
  ///
  /// It must not be started again, so where there is no descriptor left, though we have just closed some for it, it waits.
  private static func hold(_ id: pid_t, _ gate: StartGate) throws -> Descriptor {
    let deadline = MonotonicTime.now + patience
    while true {
      let number = millrace_pidfd_open(id)
      if number >= 0 { return Descriptor(owning: number) }
      let failure = SystemError("cannot watch a process", code: -number)
      guard failure.isWantOfRoom, !gate.isClosed, MonotonicTime.now < deadline else {
        kill(-id, SIGKILL)
        while waitpid(id, nil, 0) < 0 && errno == EINTR {}
        throw Lost(description: failure.description)
      }
      gate.waitForEnd()
    }
  }
}
#endif
