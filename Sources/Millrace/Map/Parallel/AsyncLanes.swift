import Synchronization

/// A parallel call whose closure is `async`: so many child tasks, each of which takes the next items when it has done its last.
///
/// The tasks run on the crew's threads. One that waits holds no thread, so the width may be far above the number of CPUs.
enum AsyncLanes {
  /// Runs `body` for the offsets `0..<count`, `grain` at a time.
  ///
  /// - Parameter body: runs the item at an offset.
  /// - Returns: whether all items were done; the error of the lowest item that failed of itself is in `failure`. A cancelled
  ///   task ends early only if `Failure` has room for a `CancellationError`.
  static func run<Failure: Error>(
    count: Int, width: Int?, grain: Int?, failure: FirstFailure<Failure>,
    _ body: @escaping @Sendable (Int) async throws(Failure) -> Void
  ) async -> Bool {
    let plan = ParallelPlan(count: count, width: width, grain: grain ?? 1)
    let grain = min(grain ?? 1, max(1, count))
    let next = NextItem()
    let heedsCancellation = CancellationError() is Failure
    return await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<plan.tasks {
        group.addTask(executorPreference: CrewExecutor.shared) {
          while let lower = next.take(grain, of: count) {
            for offset in lower..<min(lower + grain, count) {
              if next.isStopped || heedsCancellation && Task.isCancelled { return false }
              do throws(Failure) {
                try await body(offset)
              } catch {
                // What a lane throws when it is cancelled for another's error is no reason of its own.
                if !(next.isStopped && Task.isCancelled) { failure.note(error, at: offset) }
                next.stop()
                return false
              }
            }
          }
          return true
        }
      }
      var isWhole = true
      for await isDone in group where !isDone {
        isWhole = false
        group.cancelAll()
      }
      return isWhole
    }
  }

  /// Where the lanes draw their items from.
  private final class NextItem: Sendable {
    private let taken = Atomic<Int>(0)
    private let stopped = Atomic<Bool>(false)

    var isStopped: Bool { stopped.load(ordering: .relaxed) }
    func stop() { stopped.store(true, ordering: .relaxed) }

    func take(_ grain: Int, of count: Int) -> Int? {
      // Never past the end, where repeated tries of many lanes could overflow.
      guard taken.load(ordering: .relaxed) < count else { return nil }
      let lower = taken.add(grain, ordering: .relaxed).oldValue
      return lower < count ? lower : nil
    }
  }
}

/// Outputs that arrive in any order, each in its place, and become an array at the end.
///
/// `@unchecked Sendable`: every place is written once, by one task, and read after all tasks have ended.
final class ScatteredOutputs<Output: Sendable>: @unchecked Sendable {
  private let places: UnsafeMutableBufferPointer<Output?>

  init(count: Int) {
    places = .allocate(capacity: count)
    places.initialize(repeating: nil)
  }

  deinit {
    places.deinitialize()
    places.deallocate()
  }

  func put(_ output: Output, at offset: Int) { places[offset] = output }

  /// All outputs, in order.
  ///
  /// Places that were never written are left out.
  func inOrder() -> [Output] { places.compactMap(\.self) }
}
