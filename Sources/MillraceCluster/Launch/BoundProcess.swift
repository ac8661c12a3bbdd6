import CMillrace
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A program that needs to know nothing of us, and ends with us all the same: the system kills it when the thread is gone that has
/// started it, which waits for its end. Nothing stands in between that could be killed alone.
final class BoundProcess: Sendable {
  /// What the thread and whoever has asked for it have in common.
  private final class Start: @unchecked Sendable {
    // Sound: what is below is read and written with the condition locked.
    let condition = Condition()
    var code: Int32?
    var id: pid_t = 0
    /// Then its number may be somebody else's.
    var hasEnded = false
  }

  private let start = Start()

  /// - Parameters:
  ///   - input: all of its standard input; less than a pipe holds. What it writes goes to a file that nobody sees.
  ///   - ended: called once, by a thread of its own, with the last line that it has written.
  init(
    _ arguments: [String], input text: String, ended: @escaping @Sendable (TetheredProcess.End, String) -> Void
  ) throws {
    let pipe = try Pipe()
    let reading = SharedDescriptor(owning: pipe.reading.take())
    let writing = SharedDescriptor(owning: pipe.writing.take())
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { write(writing.rawValue, $0.baseAddress, $0.count) }
    writing.close()
    let output = NamelessFile()
    try startThread("millrace-bound") { [start] in
      var process: pid_t = 0
      let code = TetheredProcess.withPointers(arguments) { arguments in
        millrace_bound_spawn(
          arguments[0]!, arguments, environ, nil, [reading.rawValue, output.rawValue, output.rawValue], &process)
      }
      reading.close()
      start.condition.lock()
      (start.code, start.id) = (code, process)
      start.condition.wakeAll()
      start.condition.unlock()
      defer { output.close() }
      guard code == 0 else { return }
      var info = siginfo_t()
      while waitid(P_PID, id_t(process), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
      start.condition.lock()
      start.hasEnded = true
      start.condition.unlock()
      var status: Int32 = 0
      while waitpid(process, &status, 0) < 0, errno == EINTR {}
      let lastLine = output.end.split(whereSeparator: \.isNewline).last.map(String.init)
      ended(TetheredProcess.End(status), lastLine ?? "")
    }
    start.condition.lock()
    while start.code == nil { start.condition.wait() }
    start.condition.unlock()
    if let code = start.code, code != 0 { throw SystemError("start of \(arguments.first ?? "")", code) }
  }

  func kill() {
    start.condition.lock()
    if !start.hasEnded { LibC.kill(start.id, SIGKILL) }
    start.condition.unlock()
  }
}
