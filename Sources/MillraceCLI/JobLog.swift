#if CLI
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The log of `--joblog`: GNU parallel's columns, a line a job, in the file as soon as the job ends.
struct JobLog: ~Copyable, Sendable {
  struct Entry: Equatable, Sendable {
    var sequence: Int
    /// `:` is this machine.
    var host = ":"
    /// Microseconds since 1970.
    var started: UInt64
    var runtimeMilliseconds: UInt64
    var receivedBytes: Int
    var exitValue: Int32
    var signal: Int32
    var command: Bytes
  }

  static let header = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"

  private let file: Descriptor

  /// It is the file or pipe that one of our own streams is, so lines go where the others go, and nothing is cut.
  private let stream: OutputWriter.Stream?
  private let writer: OutputWriter

  private let goesOn: Bool
  /// For errors.
  private let name: String

  /// Opens a log, and changes nothing of it yet.
  /// - Parameter path: with `+` before it, what the file holds stays, as in GNU parallel.
  init(path: Bytes, _ writer: OutputWriter) throws {
    self.writer = writer
    goesOn = path.first == UInt8(ascii: "+") && path.count > 1
    let path = goesOn ? Bytes(path.dropFirst()) : path
    name = String(decoding: path, as: UTF8.self)
    file = try .open(path, O_WRONLY | O_CREAT | O_APPEND)
    var (log, ours) = (stat(), stat())
    stream =
      fstat(file.rawValue, &log) != 0
      ? nil
      : [.output, .error].first {
        fstat($0.rawValue, &ours) == 0 && (ours.st_dev, ours.st_ino) == (log.st_dev, log.st_ino)
      }
  }

  /// Starts a new log in place of what the file holds, or goes on with it.
  borrowing func begin() throws {
    if !goesOn && stream == nil {
      // What cannot be cut (a pipe, a terminal) is empty.
      guard ftruncate(file.rawValue, 0) == 0 || errno == EINVAL else {
        throw SystemError("cannot empty the job log '\(name)'")
      }
    }
    var status = stat()
    guard fstat(file.rawValue, &status) == 0, !goesOn || status.st_size == 0 else { return }
    try write(Array(Self.header.utf8))
  }

  /// One `write` a line, so lines of jobs that end together stay whole.
  borrowing func add(_ entry: Entry) throws {
    try write(Self.line(entry))
  }

  private borrowing func write(_ bytes: Bytes) throws {
    do {
      if let stream { return try writer.write(bytes, on: stream) }
      try bytes.withUnsafeBytes { try writeAll($0, to: file.rawValue) }
    } catch let error as SystemError {
      throw SystemError("cannot write to the job log '\(name)'", code: error.code)
    }
  }

  static func line(_ entry: Entry) -> Bytes {
    var line = "\(entry.sequence)\t\(entry.host)\t\(thousandths(entry.started / 1000))\t"
    line +=
      "\(thousandths(entry.runtimeMilliseconds))\t0\t\(entry.receivedBytes)\t\(entry.exitValue)\t\(entry.signal)\t"
    // A newline in a command is a NUL in the log, as in GNU parallel: a line stays a job.
    return Bytes(line.utf8) + entry.command.map { $0 == .newline ? 0 : $0 } + [.newline]
  }

  /// Seconds with three decimals, at least ten wide.
  private static func thousandths(_ value: UInt64) -> String {
    let decimals = String(value % 1000)
    let text = "\(value / 1000)." + String(repeating: "0", count: 3 - decimals.count) + decimals
    return String(repeating: " ", count: max(0, 10 - text.count)) + text
  }
}
#endif
