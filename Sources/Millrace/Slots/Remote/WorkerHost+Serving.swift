import MillraceIPC

/// For transports that are streams: one thread hears the pool, another runs what it asks.
extension WorkerHost {
  /// Runs requests on a thread of its own, until `receive`, on the calling one, gives nil: nobody is there any more, and the
  /// process is to end, whatever it is at.
  ///
  /// - Parameters:
  ///   - isFork: whether this process was forked from the program, and is for this alone.
  ///   - fail: called if a request cannot be heard, or makes no sense, or an answer cannot be sent. Ends the process.
  package func serve(
    isFork: Bool, hearing receive: () throws -> RemoteFrame?, fail: @escaping @Sendable (any Error) -> Never
  ) {
    do {
      try serve(isFork, receive, fail)
    } catch {
      fail(error)
    }
  }

  private func serve(
    _ isFork: Bool, _ receive: () throws -> RemoteFrame?, _ fail: @escaping @Sendable (any Error) -> Never
  ) throws {
    let thread = LaneThread()
    if isFork {
      ForkProbe.run()
      LaneThread.ofFork = thread
    }
    WorkerExecutors.take(isFork: isFork) { fail(WireProblem("its thread was ended")) }
    try channel.send(.begun)
    let requests = RequestQueue()
    Task(executorPreference: thread) {
      await self.serve(on: thread) {
        do { return try await self.run(requests) } catch { fail(error) }
      }
      thread.end()
    }
    try startThread("millrace-remote", suddenEnd: { fail(WireProblem("its thread was ended")) }) { thread.run() }
    while let frame = try receive() {
      if frame.header.isKind(.cancel) { cancel(frame.header.chunk) } else { requests.add(frame) }
    }
  }

  /// Runs requests; true if what is next is to run in another task, false when there are no more.
  private func run(_ requests: RequestQueue) async throws -> Bool {
    while true {
      let frame = requests.next()
      guard mayBegin(frame.header) else {
        requests.putBack(frame)
        return true
      }
      let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.payload.count, alignment: 16)
      defer { payload.deallocate() }
      payload.copyBytes(from: frame.payload)
      guard try await handle(frame.header, UnsafeRawBufferPointer(payload)) else { return false }
    }
  }
}

private final class RequestQueue: Sendable {
  private let frames = Lock(FIFO<RemoteFrame>())
  private let bell = Bell()

  func add(_ frame: RemoteFrame) {
    frames.withLock { $0.append(frame) }
    bell.ring()
  }

  /// It is the next again.
  func putBack(_ frame: RemoteFrame) { frames.withLock { $0.prepend(frame) } }

  /// The next request; waits for it.
  func next() -> RemoteFrame {
    while true {
      if let frame = frames.withLock({ $0.popFirst() }) { return frame }
      bell.waitForWork()
    }
  }
}
