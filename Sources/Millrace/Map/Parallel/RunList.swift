/// What one lane has made, in runs of consecutive items.
///
/// A lane goes through a range from front to back, so it can mostly continue its last run; it begins another where it has
/// taken work from elsewhere. Put together in order of their first items, the runs of all lanes are the whole.
@usableFromInline
struct RunList<Value> {
  typealias Run = (items: Range<Int>, value: Value)

  fileprivate var runs: [Run] = []

  @usableFromInline
  init() {}

  /// Takes out the last run, if the piece at `lower` continues it.
  @usableFromInline
  mutating func resume(at lower: Int) -> (start: Int, value: Value)? {
    // The value must leave with its only reference, or going on with it would copy it.
    guard !runs.isEmpty, runs[runs.count - 1].items.upperBound == lower else { return nil }
    let run = runs.removeLast()
    return (run.items.lowerBound, run.value)
  }

  @usableFromInline
  mutating func append(_ items: Range<Int>, _ value: Value) {
    runs.append((items, value))
  }
}

/// A list of runs for each lane of a call.
///
/// A class: inlining the `deinit` of a non-copyable type into an inlinable function stops the compiler (6.3.1).
@usableFromInline
final class LaneRuns<Value> {
  @usableFromInline let lanes: Int
  @usableFromInline let lists: UnsafeMutablePointer<RunList<Value>>

  @usableFromInline
  init(lanes: Int) {
    self.lanes = lanes
    lists = .allocate(capacity: lanes)
    lists.initialize(repeating: RunList(), count: lanes)
  }

  deinit {
    lists.deinitialize(count: lanes)
    lists.deallocate()
  }

  /// The values of all lanes, in the order of their items.
  @usableFromInline
  func inOrder() -> [Value] {
    (0..<lanes).flatMap { lists[$0].runs }.sorted { $0.items.lowerBound < $1.items.lowerBound }.map(\.value)
  }
}
