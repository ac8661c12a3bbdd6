import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Passes what workers print on to the program's standard output, in whole lines.
///
/// On a thread of its own: who reads the program's output slowly slows the workers that print, and nobody else.
final class OutputRelay: @unchecked Sendable {
  // Sound: `arrivals` and `isEnding` are under the lock, the pipes belong to the thread.
  private struct State {
    var arrivals: [Int32] = []
    var isStarted = false
    var isEnding = false
    var hasEnded = false
  }
  private let state = Lock(State())
  private let wake: SharedDescriptor
  private let lifeline: Lifeline
  private let ended = Bell()

  init() throws(SystemCallError) {
    let wake = millrace_bell_create()
    guard wake >= 0 else { throw SystemCallError("eventfd", errno) }
    self.wake = SharedDescriptor(owning: wake)
    lifeline = try Lifeline()
  }

  /// Takes over the reading end of a worker's pipe.
  func add(_ pipe: consuming Descriptor) throws(ThreadRefused) {
    let descriptor = pipe.take()
    let mustStart = state.withLock { state in
      state.arrivals.append(descriptor)
      defer { state.isStarted = true }
      return !state.isStarted
    }
    if mustStart {
      do throws(ThreadRefused) {
        try startThread("millrace-output") { self.run() }
      } catch {
        let refused = state.withLock { state in
          defer { (state.arrivals, state.isStarted) = ([], false) }
          return state.arrivals
        }
        for descriptor in refused { _ = Descriptor(owning: descriptor) }
        throw error
      }
    } else {
      wakeUp()
    }
  }

  private func wakeUp() {
    // Somebody has closed it: the thread has to find that out, wherever it is.
    if !wake.ring() { lifeline.cut() }
  }

  /// Passes on what is there, closes the pipes and ends the thread. Every writer of ours is gone by now.
  ///
  /// - Returns: false if that takes longer, for the reader of our standard output stands still. The thread goes on then.
  func end(within nanoseconds: UInt64) -> Bool {
    let isRunning = state.withLock { state in
      state.isEnding = true
      return state.isStarted && !state.hasEnded
    }
    if isRunning {
      wakeUp()
      ended.waitForWork(until: _monotonicNow() &+ nanoseconds)
      guard state.withLock({ $0.hasEnded }) else { return false }
    }
    wake.close()
    lifeline.close()
    return true
  }

  private func run() {
    var pipes: [(descriptor: SharedDescriptor, relay: LineRelay)] = []
    while true {
      let isEnding = state.withLock { state in
        for descriptor in state.arrivals { pipes.append((SharedDescriptor(owning: descriptor), LineRelay())) }
        state.arrivals = []
        return state.isEnding
      }
      var polled = pipes.map { pollfd(fd: $0.descriptor.rawValue, events: Int16(POLLIN), revents: 0) }
      for descriptor in [wake.rawValue, lifeline.reading] {
        polled.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
      }
      let count = poll(&polled, nfds_t(polled.count), isEnding ? 0 : -1)
      let (bell, end) = (polled[polled.count - 2].revents, polled[polled.count - 1].revents)
      guard wake.isIntact, lifeline.isIntact else { break }
      if bell == Int16(POLLIN) { millrace_bell_clear(wake.rawValue) }
      for index in pipes.indices.reversed() where polled[index].revents != 0 {
        let isIntact = pipes[index].descriptor.isIntact
        if !isIntact || !pass(pipes[index].descriptor.rawValue, &pipes[index].relay) {
          pipes[index].descriptor.close()
          pipes.remove(at: index)
        }
      }
      if isEnding, count <= 0 || pipes.isEmpty { break }
      // Descriptors were closed, by others than us: what is there was passed on, and no more is waited for.
      if end != 0 || bell & ~Int16(POLLIN) != 0 { break }
    }
    for index in pipes.indices {
      pipes[index].relay.finish(sink: write)
      pipes[index].descriptor.close()
    }
    state.withLock { $0.hasEnded = true }
    ended.ring()
  }

  /// Passes on what is in the pipe now; false at its end.
  private func pass(_ descriptor: Int32, _ relay: inout LineRelay) -> Bool {
    let count = withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count > 0 { relay.take(UnsafeRawBufferPointer(rebasing: buffer[..<count]), sink: write) }
      return count
    }
    if count < 0, errno == EAGAIN || errno == EINTR { return true }
    if count <= 0 { relay.finish(sink: write) }
    return count > 0
  }

  private func write(_ bytes: UnsafeRawBufferPointer) {
    millrace_write_all(STDOUT_FILENO, bytes.baseAddress, UInt(bytes.count))
  }
}
