import CMillrace
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A program in a process group of its own, whose standard input is its tether: we hold the other end, and when we let go, or die in
/// whatever way, that ends, and the program is to end with it. Secrets go in that way, too.
final class TetheredProcess: Sendable {
  let id: pid_t
  private let input: SharedDescriptor
  /// The code it has exited with, or the signal that it has died of.
  enum End: Sendable, CustomStringConvertible {
    case exited(Int32)
    case died(signal: Int32)

    /// As `waitpid` says it.
    init(_ status: Int32) { self = status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .died(signal: status & 0x7f) }

    var description: String {
      switch self {
      case .exited(let code): "exited with code \(code)"
      case .died(let signal): "died of signal \(signal)"
      }
    }
  }

  /// - Parameters:
  ///   - text: the beginning of its input; less than a pipe holds.
  ///   - ended: called once, by a thread of its own.
  init(
    _ arguments: [String], adding variables: [String] = [], text: String, ended: @escaping @Sendable (End) -> Void
  ) throws {
    let pipe = try Pipe()
    let reading = pipe.reading
    let input = SharedDescriptor(owning: pipe.writing.take())
    var process: pid_t = 0
    var code: Int32 = 0
    let names = variables.compactMap { $0.split(separator: "=").first.map { "\($0)=" } }
    let environment = Self.environment.filter { entry in !names.contains { entry.hasPrefix($0) } } + variables
    Self.withPointers(arguments) { arguments in
      Self.withPointers(environment) { environment in
        code = millrace_job_spawn(
          arguments[0]!, arguments, environment, reading.rawValue, STDOUT_FILENO, STDERR_FILENO, &process)
      }
    }
    guard code == 0 else { throw SystemError("start of \(arguments.first ?? "")", code) }
    (id, self.input) = (process, input)
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { write(input.rawValue, $0.baseAddress, $0.count) }
    // Open until here: one that is gone already would end us with SIGPIPE.
    withExtendedLifetime(reading) {}
    // The thread does not hold the tether: whoever drops the process lets go of it.
    try startThread("millrace-tether") { [id] in
      var status: Int32 = 0
      while waitpid(id, &status, 0) < 0, errno == EINTR {}
      ended(End(status))
    }
  }

  /// Its input ends.
  func letGo() { input.close() }

  func kill() { LibC.kill(id, SIGKILL) }

  private static var environment: [String] {
    var entries: [String] = []
    var entry = environ
    while let text = entry.pointee {
      entries.append(String(cString: text))
      entry += 1
    }
    return entries
  }

  /// The strings as C wants them.
  static func withPointers<R>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
  ) -> R {
    var pointers = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
  }
}
