import CMillrace
import Logging
import MillraceIPC
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The program was asked to end, by Ctrl-C (SIGINT) or SIGTERM.
public struct Interrupted: Error, Sendable, Hashable, CustomStringConvertible {
  /// The number of the first signal.
  public let signal: Int32

  /// What a program that ends for it exits with: 128 and the signal's number, 130 for Ctrl-C and 143 for SIGTERM.
  public var exitCode: Int32 { 128 + signal }

  /// Which signal it was, in words.
  public var description: String { "interrupted by \(signalName(signal))" }
}

/// Runs the body and ends the pool in stages when Ctrl-C or SIGTERM comes. For programs that want it: nothing of the
/// library handles signals unasked.
///
/// - The first signal drains: nothing more is read, what was read is finished, then maps and streams end.
/// - The second cancels: ``WorkerPool/terminate()``.
/// - The third kills: the program exits at once with the code of the first signal; worker processes end with it.
///
/// A signal reaches one of those who wait for it. Where something else handles them already, such as the `ServiceGroup` of ServiceLifecycle, let that end
/// the pool, and leave this out: a warning is logged if a handler of somebody else's is replaced here, or replaces this one.
///
/// - Throws: ``Interrupted`` if there was a signal, whatever the body came to; otherwise what the body throws;
///   ``WorkerPoolError`` if another call watches the signals already, or the system refuses.
public func withShutdownSignals<Result>(
  ending pool: WorkerPool, _ body: () async throws -> Result
) async throws -> Result {
  let watch = try SignalWatch(pool.core)
  let result: Swift.Result<Result, any Error>
  do { result = .success(try await body()) } catch { result = .failure(error) }
  if let signal = watch.end() { throw Interrupted(signal: signal) }
  return try result.get()
}

/// A thread that turns signals into stages.
final class SignalWatch: @unchecked Sendable {
  // Sound: `first` and `unheard` are under their locks, the descriptors and the logger are constant.
  private let reading: Int32
  private let writing: Int32
  private let first = Lock<Int32?>(nil)
  /// The signals of which it was said that they do not come.
  private let unheard = Lock<Set<Int32>>([])
  private let ended = Bell()
  private let logger: Logger

  /// The one that watches now. There is one at the most, for there is one handler of a signal.
  private static let current = Lock<SignalWatch?>(nil)
  private static let isWatching = Atomic(false)

  /// Looks whether the signals still come here, when a map begins: nobody tells us of a handler that was replaced.
  static func mapBegins() {
    guard isWatching.load(ordering: .relaxed) else { return }
    current.withLock { $0 }?.warnOfLostSignals()
  }

  init(_ core: PoolCore) throws(WorkerPoolError) {
    logger = core.logger
    let pipe: Pipe
    do { pipe = try Pipe() } catch {
      throw WorkerPoolError(.cannotStart, "the signals cannot be watched", underlying: error.forUsers)
    }
    let foreign = Self.numbers.filter { millrace_signals_handled($0) != 0 }
    millrace_set_nonblocking(pipe.writing.rawValue)
    reading = millrace_fd_copy(pipe.reading.rawValue)
    writing = millrace_fd_copy(pipe.writing.rawValue)
    let error = millrace_signals_watch(writing)
    guard error == 0 else {
      millrace_fd_close(reading)
      millrace_fd_close(writing)
      throw WorkerPoolError(
        .cannotStart, "the signals cannot be watched", underlying: SystemError("sigaction", error))
    }
    do {
      try startThread("millrace-signal") { [self] in run(core) }
    } catch {
      millrace_signals_unwatch()
      millrace_fd_close(reading)
      millrace_fd_close(writing)
      throw WorkerPoolError(.cannotStart, "the signals cannot be watched", underlying: error.forUsers)
    }
    Self.current.withLock { $0 = self }
    Self.isWatching.store(true, ordering: .relaxed)
    for number in foreign {
      logger.warning(
        """
        \(signalName(number)) was handled by another part of the program before withShutdownSignals: only one of them \
        hears it, and which is chance. Let one of them handle the signals, and end the pool
        """)
    }
  }

  private static let numbers = [SIGINT, SIGTERM]

  private func warnOfLostSignals() {
    let lost = Self.numbers.filter { millrace_signals_lost($0) != 0 }
    if lost.isEmpty { return }
    let news = unheard.withLock { unheard in lost.filter { unheard.insert($0).inserted } }
    for number in news {
      logger.warning(
        """
        \(signalName(number)) is handled by another part of the program now: withShutdownSignals does not hear it, and \
        does not end the pool
        """)
    }
  }

  private func run(_ core: PoolCore) {
    // A thread of a library's may block them, and hand that on to those it starts: somebody has to take them.
    millrace_signals_unblock()
    var stage = 0
    while true {
      var number: UInt8 = 0
      let count = read(reading, &number, 1)
      if count < 0, errno == EINTR { continue }
      guard count == 1, number != 0 else { break }
      let signal = first.withLock { first in
        if first == nil { first = Int32(number) }
        return first!
      }
      stage += 1
      switch stage {
      case 1: core.drain(Interrupted(signal: signal))
      case 2: core.terminate()
      default: _exit(128 + signal)
      }
    }
    ended.ring()
  }

  /// Stops watching; the first signal that came, if any.
  func end() -> Int32? {
    Self.isWatching.store(false, ordering: .relaxed)
    Self.current.withLock { $0 = nil }
    warnOfLostSignals()
    millrace_signals_unwatch()
    var zero: UInt8 = 0
    _ = write(writing, &zero, 1)
    ended.waitForWork()
    millrace_fd_close(reading)
    millrace_fd_close(writing)
    return first.withLock { $0 }
  }
}
