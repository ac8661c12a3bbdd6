import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Lets no more than so many items pass in any span of a length. The others wait, and with them whoever makes them.
public struct Throttle<C: Clock & Sendable>: AnyItemStage where C.Duration == Duration {
  private let count: Int
  private let span: Duration
  private let clock: C

  /// So many items, at least one, in any span of this length, which is more than zero, by a clock.
  public init(_ count: Int, per span: Duration, clock: C) {
    self.count = count
    self.span = span
    self.clock = clock
  }

  /// For items of a type.
  public func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item> {
    .stage(Throttles(count: count, span: span, clock: clock))
  }
}

extension Throttle where C == ContinuousClock {
  /// So many items, at least one, in any span of this length, which is more than zero.
  public init(_ count: Int, per span: Duration) { self.init(count, per: span, clock: ContinuousClock()) }
}

extension Duration {
  /// As long, but no more than a century: what clocks are given is added to a time, and converted.
  var boundedForClocks: Duration { min(self, .seconds(100 * 365 * 86_400)) }
}

/// ``Throttle`` for items of a type.
struct Throttles<Item: Sendable, C: Clock & Sendable>: Stage, OneOfOne, PacedStage, NamedStage, CheckedStage
where C.Duration == Duration {
  let count: Int
  let span: Duration
  let clock: C
  var name: String { "Throttle" }

  func check() throws {
    try InvalidOption.check("Throttle", count, in: 1...Int.max)
    guard span > .zero else { throw InvalidOption(name: "Throttle(per:)", value: span, allowed: "more than zero") }
  }

  /// When those passed that still count, the first first.
  struct Passed {
    private var times: [C.Instant] = []
    /// What is before it counts no more.
    private var start = 0

    var count: Int { times.count - start }
    var first: C.Instant? { start < times.count ? times[start] : nil }

    mutating func append(_ time: C.Instant) { times.append(time) }

    mutating func dropFirst() {
      start += 1
      guard start > 64, start * 2 > times.count else { return }
      times.removeFirst(start)
      start = 0
    }
  }

  func setUp(_ context: StageContext, _ out: Outlet<Item>) -> Passed { Passed() }

  func process(_ item: Item, state passed: inout Passed, _ out: Outlet<Item>) async throws {
    let now = clock.now
    while let first = passed.first, first.advanced(by: bounded) <= now { passed.dropFirst() }
    if passed.count == count, let first = passed.first {
      try await wait(until: first.advanced(by: bounded))
      passed.dropFirst()
    }
    passed.append(clock.now)
    try await out.put(item)
  }

  /// No clock overflows by it.
  private var bounded: Duration { span.boundedForClocks }

  private func wait(until time: C.Instant) async throws {
    guard clock.now < time else { return }
    guard LaneThread.ofFork != nil else { return try await clock.sleep(until: time, tolerance: nil) }
    // In a fork of the program no clock calls back; the thread is its own.
    while case let left = clock.now.duration(to: time), left > .zero {
      usleep(UInt32(min(left / .microseconds(1), 100_000).rounded(.up)))
      try Task.checkCancellation()
    }
  }
}
