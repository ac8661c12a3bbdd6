extension WorkerPool {
  /// Combines the outcomes, as they come and one at a time, into a result (vimap's `VimapFold`).
  ///
  /// `combine` runs in the calling task, serially.
  ///
  /// - Throws: what `combine` throws, and what ends the whole map; never a single item's failure.
  @inlinable
  public func fold<W: Worker, S: Sequence, Result>(
    _ items: sending S, _ worker: W, into initial: Result, options: MapOptions = MapOptions(),
    _ combine: (inout Result, Outcome<W.Input, W.Output>) throws -> Void
  ) async throws -> Result where S.Element == W.Input {
    try await folded(_Items(items), worker, options, initial, combine)
  }

  /// Combines the outcomes: a closure over a sequence.
  @inlinable
  public func fold<S: Sequence, Output: Sendable, Result>(
    _ items: sending S, into initial: Result, options: MapOptions = MapOptions(),
    transform body: @escaping @Sendable (S.Element) async throws -> Output,
    combine: (inout Result, Outcome<S.Element, Output>) throws -> Void
  ) async throws -> Result where S.Element: Sendable {
    try await folded(_Items(items), ClosureWorker(body), options, initial, combine)
  }

  /// Combines the outcomes: a closure that also gets the worker's context over a sequence.
  @_disfavoredOverload
  @inlinable
  public func fold<S: Sequence, Output: Sendable, Result>(
    _ items: sending S, into initial: Result, options: MapOptions = MapOptions(),
    transform body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output,
    combine: (inout Result, Outcome<S.Element, Output>) throws -> Void
  ) async throws -> Result where S.Element: Sendable {
    try await folded(_Items(items), ClosureWorker(body), options, initial, combine)
  }

  /// Combines the outcomes: a worker over an asynchronous sequence.
  @inlinable
  public func fold<W: Worker, S: AsyncSequence, Result>(
    _ items: sending S, _ worker: W, into initial: Result, options: MapOptions = MapOptions(),
    _ combine: (inout Result, Outcome<W.Input, W.Output>) throws -> Void
  ) async throws -> Result where S.Element == W.Input {
    try await folded(_Items(items), worker, options, initial, combine)
  }

  /// Combines the outcomes: a closure over an asynchronous sequence.
  @inlinable
  public func fold<S: AsyncSequence, Output: Sendable, Result>(
    _ items: sending S, into initial: Result, options: MapOptions = MapOptions(),
    transform body: @escaping @Sendable (S.Element) async throws -> Output,
    combine: (inout Result, Outcome<S.Element, Output>) throws -> Void
  ) async throws -> Result where S.Element: Sendable {
    try await folded(_Items(items), ClosureWorker(body), options, initial, combine)
  }

  /// Combines the outcomes: a closure that also gets the worker's context over an asynchronous sequence.
  @_disfavoredOverload
  @inlinable
  public func fold<S: AsyncSequence, Output: Sendable, Result>(
    _ items: sending S, into initial: Result, options: MapOptions = MapOptions(),
    transform body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output,
    combine: (inout Result, Outcome<S.Element, Output>) throws -> Void
  ) async throws -> Result where S.Element: Sendable {
    try await folded(_Items(items), ClosureWorker(body), options, initial, combine)
  }

}
