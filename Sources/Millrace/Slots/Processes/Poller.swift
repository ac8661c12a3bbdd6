import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Waits on many descriptors at once. Each is known by a number of the caller's.
///
/// Code of the program's may close what is not its own, and the kernel tells nobody who waits. So it waits beside for the end of
/// a `Lifeline`, which is closed with the others, or cut by whoever finds one of them closed.
struct Poller: ~Copyable {
  let descriptor: SharedDescriptor

  init() throws(SystemCallError) {
    let descriptor = millrace_poller_create()
    guard descriptor >= 0 else { throw SystemCallError("epoll_create1", errno) }
    self.descriptor = SharedDescriptor(owning: descriptor)
  }

  func add(_ watched: Int32, as token: UInt64) throws(SystemCallError) {
    let error = millrace_poller_add(descriptor.rawValue, watched, token)
    guard error == 0 else { throw SystemCallError("epoll_ctl", error) }
  }

  /// Watches a socket for what it says and for the end of the other side; and for room, if that is wanted.
  func watch(
    socket: Int32, as token: UInt64, isNew: Bool = false, forRoom: Bool = false
  ) throws(SystemCallError) {
    let error = millrace_poller_watch_socket(descriptor.rawValue, socket, token, isNew ? 1 : 0, forRoom ? 1 : 0)
    guard error == 0 else { throw SystemCallError("epoll_ctl", error) }
  }

  /// Nothing is watched any more.
  func close() { descriptor.close() }

  func remove(_ watched: Int32) { millrace_poller_remove(descriptor.rawValue, watched) }

  /// Sleeps until something is readable, for `nanoseconds` at the most; the numbers of what is.
  @inline(never)
  func waitForNews(_ nanoseconds: UInt64?, lifeline: Lifeline) throws(SystemCallError) -> [UInt64] {
    // Where something else was put in the place of one of them, a wait that has begun goes on with that.
    guard lifeline.isIntact, descriptor.isIntact else { throw SystemCallError("poll", EBADF) }
    let timeout = nanoseconds.map { Int32(clamping: ($0 + 999_999) / 1_000_000) } ?? -1
    let (news, error) = withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { tokens in
      let count = millrace_poller_wait(descriptor.rawValue, lifeline.reading, tokens.baseAddress, 64, timeout)
      return (count < 0 ? [] : (0..<Int(count)).map { tokens[$0] }, min(count, 0))
    }
    guard error == 0 else { throw SystemCallError("poll", -error) }
    return news
  }
}
