import CMillrace
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Runs a program that ends by itself soon: what it has written, and how it has ended.
struct ProgramRun: Sendable {
  var output: String
  /// What it has said beside its output, on its standard error.
  var problems: String
  var end: TetheredProcess.End

  var hasSucceeded: Bool { if case .exited(0) = end { true } else { false } }

  /// For an error: how it has ended, and why, in its own words.
  var reason: String {
    let words = (problems + "\n" + output).split(whereSeparator: \.isNewline).joined(separator: "; ")
    return words.isEmpty ? "\(end)" : "\(end), and said: \(words)"
  }

  /// - Parameters:
  ///   - input: its standard input.
  ///   - limit: how long it may take before it is killed. So it is where the task is cancelled.
  init(_ arguments: [String], input: borrowing Descriptor, within limit: Duration) async throws {
    let pipe = try Pipe()
    let reading = SharedDescriptor(owning: pipe.reading.take())
    let writing = SharedDescriptor(owning: pipe.writing.take())
    let problems = NamelessFile()
    defer { problems.close() }
    var process: pid_t = 0
    let code = TetheredProcess.withPointers(arguments) { arguments in
      millrace_job_spawn(
        arguments[0]!, arguments, environ, input.rawValue, writing.rawValue, problems.rawValue, &process)
    }
    writing.close()
    guard code == 0 else { throw SystemError("start of \(arguments.first ?? "")", code) }
    let found = Lock<(text: String, end: TetheredProcess.End)?>(nil)
    // Its number may be somebody else's from the moment on when it is reaped.
    let mayBeKilled = Lock(true)
    let bell = TaskBell()
    let kill = { @Sendable [process] in mayBeKilled.withLock { if $0 { LibC.kill(-process, SIGKILL) } } }
    let reap = { @Sendable [process] in
      var info = siginfo_t()
      while waitid(P_PID, id_t(process), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
      mayBeKilled.withLock { $0 = false }
      var status: Int32 = 0
      while waitpid(process, &status, 0) < 0, errno == EINTR {}
      return TetheredProcess.End(status)
    }
    do {
      try startThread("millrace-run") {
        let text = Self.text(of: reading.rawValue)
        let end = reap()
        found.withLock { $0 = (text, end) }
        bell.ring()
      }
    } catch {
      // Nobody would hear of its end.
      kill()
      _ = reap()
      throw error
    }
    let alarm = Task {
      do { try await Task.sleep(for: limit) } catch { return }
      kill()
    }
    await withTaskCancellationHandler {
      while found.withLock({ $0 == nil }) { await bell.waitForRing() }
    } onCancel: {
      kill()
    }
    alarm.cancel()
    await alarm.value
    let (text, end) = found.withLock { $0 ?? ("", .exited(0)) }
    (output, self.problems, self.end) = (text, problems.end, end)
  }

  /// A program whose input is this text: less than a pipe holds.
  init(_ arguments: [String], text: String, within limit: Duration) async throws {
    let pipe = try Pipe()
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { write(pipe.writing.rawValue, $0.baseAddress, $0.count) }
    let reading = Descriptor(owning: pipe.reading.take())
    _ = Descriptor(owning: pipe.writing.take())
    try await self.init(arguments, input: reading, within: limit)
  }

  private static func text(of descriptor: Int32) -> String {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4_096)
    while true {
      let count = read(descriptor, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { break }
      // What nobody expects is not kept, but read, so that it can be written.
      if bytes.count < 1 << 16 { bytes += piece[..<count] }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
