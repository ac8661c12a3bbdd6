import MillraceIPC

/// A task's external input, whatever its type.
protocol StridedReading: AnyObject, Sendable {
  /// Begins to read, where that takes a task of its own; its context is the caller's.
  func start(_ run: StridedRun, _ position: Int) throws -> Task<Void, Never>?
  /// Whether `read` may be called where the demand arises.
  var isInline: Bool { get }
  /// Reads an item; whether there was one.
  func read() -> Bool
  /// An item is wanted: `run` hears of it, or of the end. Called without any lock.
  func ask(_ run: StridedRun, _ position: Int)
  /// No more items are wanted. Called without any lock.
  func leave()
  /// Lets go of an item that nobody wants; under the run's lock.
  func discard() -> Any?
}

/// Reads a task's external input, one item at a time, each only when the machine wants it.
///
/// What is in memory is read where the demand arises. What may block is read on a thread of its own, what may run an actor's code on
/// that actor, and an asynchronous sequence in a task.
final class StridedReader<Input: Sendable>: StridedReading, @unchecked Sendable {
  // Sound: one item is read at a time, and is handed over under a lock, for a run that ends lets go of it at any moment.
  enum Kind {
    case inline(() -> Input?)
    case blocking(() -> Input?)
    case asynchronous(() async throws -> Input?)
  }

  private struct Demand {
    var isAsked = false
    var isLeft = false
    /// Nobody reads any more.
    var isOver = false
    var waiter: UnsafeContinuation<Void, Never>?
    var task: Task<Void, Never>?
  }

  private let kind: Kind
  private let demand = Lock(Demand())
  private let item = Lock<Input?>(nil)

  init(_ kind: Kind) { self.kind = kind }

  /// - Parameter actor: the actor on which it is given to us.
  convenience init<S: Sequence>(_ items: S, from actor: (any Actor)?) where S.Element == Input {
    var iterator: S.Iterator?
    let next = {
      if iterator == nil { iterator = items.makeIterator() }
      return iterator!.next()
    }
    switch place(of: type(of: items), from: actor) {
    case .here: self.init(.inline(next))
    case .thread: self.init(.blocking(next))
    case .actor(let actor):
      // On the actor only, as long as it is read.
      nonisolated(unsafe) let next = next
      self.init(.asynchronous { await Self.call(next, on: actor) })
    }
  }

  private static func call(_ next: () -> Input?, on actor: isolated any Actor) -> Input? { next() }

  convenience init<S: AsyncSequence>(_ items: S) where S.Element == Input {
    nonisolated(unsafe) var iterator: S.AsyncIterator?
    self.init(
      .asynchronous {
        if iterator == nil { iterator = items.makeAsyncIterator() }
        return try await iterator!.next()
      })
  }

  func take() -> Input? { item.withLock { $0.take() } }

  /// Keeps what was read; whether it was an item.
  private func keep(_ read: Input?) -> Bool {
    // Whatever was there is let go of behind the lock.
    let before = item.withLock { item in
      defer { item = read }
      return item
    }
    withExtendedLifetime(before) {}
    return read != nil
  }

  func discard() -> Any? { take() }

  var isInline: Bool { if case .inline = kind { true } else { false } }

  func read() -> Bool {
    guard case .inline(let next) = kind else { return false }
    return keep(next())
  }

  func start(_ run: StridedRun, _ position: Int) throws -> Task<Void, Never>? {
    let next: () async throws -> Input?
    var thread: LaneThread?
    switch kind {
    case .inline: return nil
    case .asynchronous(let body): next = body
    case .blocking(let body):
      next = { body() }
      let lane = LaneThread()
      try startThread("millrace-input") { lane.run() }
      thread = lane
    }
    nonisolated(unsafe) let read = next
    let task = Task(executorPreference: thread ?? LaneThread.ofFork) {
      while await self.isAsked() {
        do {
          let hasItem = self.keep(try await read())
          run.pulled(position, ended: !hasItem)
        } catch {
          run.pulled(position, ended: true, error)
        }
      }
      // Who asked when it was left already has an answer all the same.
      let mustAnswer = self.demand.withLock { demand in
        demand.isOver = true
        return demand.isAsked
      }
      if mustAnswer { run.pulled(position, ended: true) }
      thread?.end()
    }
    let isLeft = demand.withLock { demand in
      if !demand.isLeft { demand.task = task }
      return demand.isLeft
    }
    if isLeft { task.cancel() }
    return task
  }

  func ask(_ run: StridedRun, _ position: Int) {
    let (isOver, waiter) = demand.withLock { demand in
      demand.isAsked = !demand.isOver
      defer { demand.waiter = nil }
      return (demand.isOver, demand.waiter)
    }
    waiter?.resume()
    if isOver { run.pulled(position, ended: true) }
  }

  func leave() {
    let (task, waiter) = demand.withLock { demand in
      demand.isLeft = true
      defer { (demand.task, demand.waiter) = (nil, nil) }
      return (demand.task, demand.waiter)
    }
    waiter?.resume()
    task?.cancel()
  }

  /// Waits for the next demand; false when no more will come.
  private func isAsked() async -> Bool {
    await withUnsafeContinuation { continuation in
      let waits = demand.withLock { demand in
        if demand.isAsked || demand.isLeft { return false }
        demand.waiter = continuation
        return true
      }
      if !waits { continuation.resume() }
    }
    return demand.withLock { demand in
      if demand.isLeft { return false }
      defer { demand.isAsked = false }
      return demand.isAsked
    }
  }
}
