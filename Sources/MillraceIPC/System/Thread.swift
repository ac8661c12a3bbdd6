import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A thread could not be started.
package struct ThreadRefused: Error, CustomStringConvertible {
  package let code: Int32
  package var description: String { "the system refused to start a thread: \(String(cString: strerror(code)))" }
}

/// Starts a detached thread with a name (at most 15 bytes of it are kept), bound to CPUs if any are given, and never to
/// those of the thread that starts it.
///
/// - Parameter suddenEnd: called on the thread if it ends before `body` has returned, as `pthread_exit` ends it.
package func startThread(
  _ name: String, cpus: [Int32]? = nil, suddenEnd: (@Sendable () -> Void)? = nil,
  _ body: @escaping @Sendable () -> Void
) throws(ThreadRefused) {
  final class Start {
    let name: String, cpus: [Int32]?, body: @Sendable () -> Void
    init(_ name: String, _ cpus: [Int32]?, _ body: @escaping @Sendable () -> Void) {
      (self.name, self.cpus, self.body) = (name, cpus, body)
    }
  }
  let whole: @Sendable () -> Void =
    if let suddenEnd { { SuddenEnd.watch(body, suddenEnd) } } else { body }
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  defer { pthread_attr_destroy(&attributes) }
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  #if canImport(Darwin)
  var thread: pthread_t?
  #else
  var thread = pthread_t()
  #endif
  let start = Unmanaged.passRetained(Start(name, cpus, whole))
  let code = pthread_create(
    &thread, &attributes,
    { argument in
      let place: UnsafeMutableRawPointer? = argument
      let start = Unmanaged<Start>.fromOpaque(place!).takeRetainedValue()
      #if os(Linux)
      millrace_thread_name_set(start.name)
      if let cpus = start.cpus {
        _ = millrace_affinity_set(0, cpus, cpus.count)
      } else {
        millrace_affinity_of_program()
      }
      #elseif canImport(Darwin)
      pthread_setname_np(start.name)
      #endif
      start.body()
      return nil
    }, start.toOpaque())
  if code != 0 {
    start.release()
    throw ThreadRefused(code: code)
  }
}
