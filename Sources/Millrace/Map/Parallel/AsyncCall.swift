/// An asynchronous call of a synchronous operation: how it gets off the cooperative pool, and back.
@usableFromInline
enum AsyncCall {
  /// Runs `work` on a thread of the crew, as a part of the calling task, and returns to where that was.
  ///
  /// - Parameters:
  ///   - input: handed to `work`, which should capture the user's closure and nothing else (see ``ParallelPlan/run(lanes:with:body:)``).
  ///   - isGranted: whether the user has given a width, and so may start a thread though all CPUs are busy.
  ///   - failure: what `work` may throw. If it has room for a `CancellationError`, cancellation of the task stops the
  ///     call early; otherwise there is no way to say so, and the call goes on to its end.
  @usableFromInline
  static func run<Input: Sendable, Output: Sendable, Failure: Error>(
    _ input: Input, isGranted: Bool, throwing failure: Failure.Type,
    _ work: @Sendable (Input, StopToken?) -> Result<Output, Failure>
  ) async throws(Failure) -> Output {
    let stop = CancellationError() is Failure ? StopToken() : nil
    let result = await withTaskCancellationHandler {
      await withTaskExecutorPreference(isGranted ? CrewExecutor.granted : CrewExecutor.shared) {
        await perform(input, stop, work)
      }
    } onCancel: {
      stop?.raise()
    }
    return try result.get()
  }

  /// Leaves the caller's actor, if it has one, for the preferred executor.
  @concurrent
  private static func perform<Input: Sendable, Output: Sendable>(
    _ input: Input, _ stop: StopToken?, _ work: @Sendable (Input, StopToken?) -> Output
  ) async -> Output {
    work(input, stop)
  }
}

/// A collection with the options of a call.
@usableFromInline
@frozen
struct AsyncInput<Base: Sendable>: Sendable {
  @usableFromInline let base: Base
  @usableFromInline let width: Int?
  @usableFromInline let grain: Int?

  @inlinable
  init(_ base: Base, _ width: Int?, _ grain: Int?) {
    self.base = base
    self.width = width
    self.grain = grain
  }
}
