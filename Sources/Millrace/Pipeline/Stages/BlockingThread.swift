import MillraceIPC

/// A thread on which closures run that may block, one after the other: not on one of those that Swift's tasks share. It starts with
/// the first, and ends with its owner.
package final class BlockingThread: Sendable {
  private final class Queue: Sendable {
    struct State {
      var jobs: [@Sendable () -> Void] = []
      var isStarted = false
      var isEnding = false
    }
    let state = Lock(State())
    let bell = Bell()

    func run() {
      while true {
        let (jobs, isEnding) = state.withLock { state in
          defer { state.jobs = [] }
          return (state.jobs, state.isEnding)
        }
        for job in jobs { job() }
        if jobs.isEmpty {
          if isEnding { return }
          bell.waitForWork()
        }
      }
    }
  }
  private let queue = Queue()
  private let name: String

  package init(_ name: String) { self.name = name }

  deinit {
    queue.state.withLock { $0.isEnding = true }
    queue.bell.ring()
  }

  /// Runs the body there, and waits for it. To be told of a cancellation is the body's own matter.
  package func run<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try start()
    return try await withUnsafeThrowingContinuation { continuation in
      queue.state.withLock { $0.jobs.append { continuation.resume(with: Result { try body() }) } }
      queue.bell.ring()
    }
  }

  /// Under the lock, so nobody relies on a thread that could not be started.
  private func start() throws {
    do throws(ThreadRefused) {
      try queue.state.withLock { state throws(ThreadRefused) in
        if state.isStarted { return }
        try startThread(name) { [queue] in queue.run() }
        state.isStarted = true
      }
    } catch {
      throw WorkerPoolError(.cannotStart, "a stage has no thread to wait in", underlying: error.forUsers)
    }
  }
}
