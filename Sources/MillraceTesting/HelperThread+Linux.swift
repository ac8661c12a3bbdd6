#if os(Linux)
import CMillrace

#if canImport(Glibc)
import Glibc
#endif

/// A detached thread with a name, for the watcher of a deadline.
enum HelperThread {
  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  static func start(named name: String, _ body: @escaping @Sendable () -> Void) {
    let start = Unmanaged.passRetained(Start(name: name, body: body)).toOpaque()
    var thread = pthread_t()
    guard pthread_create(&thread, nil, entry, start) == 0 else {
      fatalError("No thread could be started for \(name).")
    }
    pthread_detach(thread)
  }

  private static let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
    guard let argument else { return nil }
    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
    write(start.name, to: open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC), closing: true)
    millrace_affinity_of_program()
    start.body()
    return nil
  }

  static func writeToStandardError(_ text: String) { write(text, to: STDERR_FILENO, closing: false) }

  private static func write(_ text: String, to descriptor: Int32, closing: Bool) {
    guard descriptor >= 0 else { return }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { break }
      bytes = bytes.dropFirst(count)
    }
    if closing { close(descriptor) }
  }
}
#endif
