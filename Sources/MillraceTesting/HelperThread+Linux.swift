#if os(Linux)
import CMillrace
import MillraceIPC

/// A detached thread with a name, for the watcher of a deadline.
enum HelperThread {
  static func start(named name: String, _ body: @escaping @Sendable () -> Void) {
    do { try startThread(name, body) } catch { fatalError("No thread for \(name): \(error)") }
  }

  static func writeToStandardError(_ text: String) {
    var text = text
    text.withUTF8 { millrace_write_all(2, $0.baseAddress, UInt($0.count)) }
  }
}
#endif
