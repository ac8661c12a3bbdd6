import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A thread of its own that runs Swift tasks: the executor of a slot. Code in it may block as it likes.
///
/// Tasks prefer it through `Task(executorPreference:)`, so `async` code of theirs, and of what they call, stays on it.
package final class LaneThread: TaskExecutor, Sendable {
  private struct State {
    var jobs: [UnownedJob] = []
    var isEnding = false
  }
  private let state = Lock(State())
  private let bell = Bell()

  /// In a process that was forked from the program: its lane. There the default executor has no threads.
  // Sound: set before any code of a user's runs in the process, and never again.
  nonisolated(unsafe) package static var ofFork: LaneThread?

  package init() {}

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    state.withLock { $0.jobs.append(job) }
    bell.ring()
  }

  /// Ends `run` once no job is left.
  package func end() {
    state.withLock { $0.isEnding = true }
    bell.ring()
  }

  /// Runs jobs on the calling thread until it is told to end.
  package func run() {
    let executor = asUnownedTaskExecutor()
    while true {
      let (jobs, isEnding) = state.withLock { state in
        defer { state.jobs.removeAll(keepingCapacity: true) }
        return (state.jobs, state.isEnding)
      }
      for job in jobs { job.runSynchronously(on: executor) }
      if jobs.isEmpty {
        if isEnding { return }
        bell.waitForWork()
      }
    }
  }
}

/// Wakes one thread. A ring before the wait is not lost.
package final class Bell: @unchecked Sendable {
  // Sound: the POSIX objects are used as they are meant to be, from any thread; the flag only under the mutex.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var isRung = false

  package init() {
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    #if os(Linux)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    #endif
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  package func ring() {
    pthread_mutex_lock(mutex)
    isRung = true
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Sleeps until the bell is rung.
  @inline(never)
  package func waitForWork() {
    pthread_mutex_lock(mutex)
    while !isRung { pthread_cond_wait(condition, mutex) }
    isRung = false
    pthread_mutex_unlock(mutex)
  }

  /// Sleeps until the bell is rung or the time (`_monotonicNow`) has come.
  @inline(never)
  package func waitForWork(until deadline: UInt64) {
    var time = timespec(
      tv_sec: Int(min(deadline / 1_000_000_000, UInt64(Int32.max))), tv_nsec: Int(deadline % 1_000_000_000))
    pthread_mutex_lock(mutex)
    while !isRung, pthread_cond_timedwait(condition, mutex, &time) == 0 {}
    isRung = false
    pthread_mutex_unlock(mutex)
  }
}

/// A thread could not be started.
package struct ThreadRefused: Error, CustomStringConvertible {
  let code: Int32
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
  var thread = pthread_t()
  let start = Unmanaged.passRetained(Start(name, cpus, whole))
  let code = pthread_create(
    &thread, &attributes,
    { argument in
      let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
      #if os(Linux)
      millrace_thread_name_set(start.name)
      if let cpus = start.cpus {
        _ = millrace_affinity_set(0, cpus, cpus.count)
      } else {
        millrace_affinity_of_program()
      }
      #endif
      start.body()
      return nil
    }, start.toOpaque())
  if code != 0 {
    start.release()
    throw ThreadRefused(code: code)
  }
}
