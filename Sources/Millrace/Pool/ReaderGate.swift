import MillraceIPC

/// Where a reader goes into its input and comes out of it: no further than it was asked, and never after the end.
final class ReaderGate: Sendable {
  /// What the reader is to do.
  enum Errand {
    case read(Int)
    case wait
    case end
  }

  private struct State {
    var demand: Int?
    var wasAsked = false
    var isInside = false
    var isEnded = false
    /// Those who wait until it is out for good.
    var waiters: [@Sendable () -> Void] = []

    var isOut: Bool { isEnded && !isInside }
  }
  private let state = Lock(State())

  /// A reader that is in the midst of items is out of the input within this time, and is not interrupted.
  private static let patience: UInt64 = 5_000_000
  /// Nobody waits longer than this for one that is in the input.
  static let bound: UInt64 = 500_000_000

  /// Asks for items; true the first time.
  func ask(_ count: Int) -> Bool {
    state.withLock { state in
      state.demand = count
      defer { state.wasAsked = true }
      return !state.wasAsked
    }
  }

  /// From the reader: goes in, if something is asked for.
  func enter() -> Errand {
    state.withLock { state in
      if state.isEnded { return .end }
      guard let demand = state.demand else { return .wait }
      state.demand = nil
      state.isInside = true
      return .read(demand)
    }
  }

  /// From a reader that was out in the midst of a demand: goes in again, unless nothing more is wanted.
  func enterAgain() -> Bool {
    state.withLock { state in
      state.isInside = !state.isEnded
      return state.isInside
    }
  }

  /// From the reader: it is out.
  func leave() { change { $0.isInside = false } }

  /// Nothing more is asked for.
  func end() { change { $0.isEnded = true } }

  private func change(_ body: (inout State) -> Void) {
    let waiters = state.withLock { state -> [@Sendable () -> Void] in
      body(&state)
      guard state.isOut else { return [] }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter() }
  }

  /// Whether it is out for good.
  var isOut: Bool { state.withLock { $0.isOut } }

  // MARK: Waiting until it is out

  /// Waits until the reader is out for good; calls it if it does not come by itself, and goes on without it in the end.
  func waitUntilOut(orCall call: () -> Void) async {
    if isOut { return }
    if await isOut(within: Self.patience) { return }
    call()
    _ = await isOut(within: Self.bound)
  }

  /// As `waitUntilOut`, where nothing can be awaited.
  func blockUntilOut(orCall call: () -> Void) {
    let bell = Bell()
    guard let isOut = watch(bell.ring) else { return }
    let begun = _monotonicNow()
    for (wait, mayCall) in [(Self.patience, true), (Self.bound, false)] {
      while !isOut(), _monotonicNow() &- begun < wait { bell.waitForWork(until: begun &+ wait) }
      if isOut() { return }
      if mayCall { call() }
    }
  }

  private func isOut(within time: UInt64) async -> Bool {
    let once = Once()
    let timer = Task {
      try? await Task.sleep(nanoseconds: time)
      once.resume()
    }
    await withUnsafeContinuation { continuation in
      once.set(continuation)
      if watch(once.resume) == nil { once.resume() }
    }
    timer.cancel()
    return isOut
  }

  /// Has it said when the reader is out; nil, and it is not said, if it is.
  private func watch(_ waiter: @escaping @Sendable () -> Void) -> (() -> Bool)? {
    let isOut = state.withLock { state in
      if !state.isOut { state.waiters.append(waiter) }
      return state.isOut
    }
    return isOut ? nil : { [self] in self.isOut }
  }
}

/// A continuation that several may resume: the first does.
private final class Once: Sendable {
  private let state = Lock<(continuation: UnsafeContinuation<Void, Never>?, isDone: Bool)>((nil, false))

  func set(_ continuation: UnsafeContinuation<Void, Never>) {
    let isDone = state.withLock { state in
      if !state.isDone { state.continuation = continuation }
      return state.isDone
    }
    if isDone { continuation.resume() }
  }

  func resume() {
    state.withLock { state in
      state.isDone = true
      defer { state.continuation = nil }
      return state.continuation
    }?.resume()
  }
}
