/// How far a map is: what a ``ProgressReporter`` is given, and what bars are made of.
public struct ProgressState: Sendable, Hashable {
  /// Where a map stands.
  public enum Phase: String, Sendable, Hashable {
    /// It goes on.
    case running
    /// Every item has its outcome.
    case complete
    /// An error has ended it.
    case failed
    /// It was cancelled, or its loop was left.
    case cancelled
  }

  /// What the map is called; empty if it has no name.
  public var name: String
  /// What is said of it besides: of a stage of a pipeline its slots, how busy they are, and whether it is the bottleneck, as in
  /// "×2 97 % (bottleneck)". Else empty.
  public var detail: String
  /// What its items are called, as in "pages".
  public var unit: String
  /// Items with an output.
  public var done: Int
  /// Items that have failed for good.
  public var failed: Int
  /// Attempts that failed and were followed by another. They are no progress.
  public var retried: Int
  /// How many items there are, as soon as that is known.
  public var total: Int?
  /// Since the map began.
  public var elapsed: Duration
  /// Items finished in a second, smoothed; nil as long as there is none.
  public var rate: Double?
  /// How long it takes at this rate; nil where the rate or the total is not known, or nothing moves.
  public var remaining: Duration?
  /// Where the map stands.
  public var phase: Phase

  /// Creates a state; what is not given is zero, or not known.
  public init(
    name: String = "", detail: String = "", unit: String = "", done: Int = 0, failed: Int = 0, retried: Int = 0,
    total: Int? = nil,
    elapsed: Duration = .zero, rate: Double? = nil, remaining: Duration? = nil, phase: Phase = .running
  ) {
    self.name = name
    self.detail = detail
    self.unit = unit
    self.done = done
    self.failed = failed
    self.retried = retried
    self.total = total
    self.elapsed = elapsed
    self.rate = rate
    self.remaining = remaining
    self.phase = phase
  }

  /// Items that have an outcome.
  public var finished: Int { done + failed }

  /// How much of the map is done, from 0 to 1; nil where the total is not known. It is 1 only when nothing is left, and never more.
  public var fraction: Double? {
    guard let total else { return nil }
    return finished >= total ? 1 : Double(finished) / Double(total)
  }

  /// Whole percents, rounded down: 100 only when nothing is left.
  package var percent: Int? {
    guard let total else { return nil }
    guard finished < total else { return 100 }
    return Int((Double(finished) / Double(total) * 100).rounded(.down)).clamped(to: 0...99)
  }
}

extension Int {
  package func clamped(to range: ClosedRange<Int>) -> Int {
    Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
  }
}
