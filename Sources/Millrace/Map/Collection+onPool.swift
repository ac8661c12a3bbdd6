// The collection one-liners on a pool. Without `on:` they run on threads, by the short way, without a pool.

extension Sequence where Element: Sendable, Self: Sendable {
  /// The transformed elements, in order; computed by the pool's workers.
  ///
  /// - Throws: As the pool's own `map`: see ``MapOptions/onFailure``.
  @inlinable
  public func parallelMap<Output: Sendable>(
    on pool: WorkerPool, options: MapOptions = MapOptions(),
    _ transform: @escaping @Sendable (Element) async throws -> Output
  ) async throws -> [Output] {
    try await pool.map(self, options: options, transform)
  }

  /// Calls the closure for each element, in the pool's workers.
  @inlinable
  public func parallelForEach(
    on pool: WorkerPool, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (Element) async throws -> Void
  ) async throws {
    try await pool.forEach(self, options: options, body)
  }

  /// The transformed elements that are not nil, in order; computed by the pool's workers.
  @inlinable
  public func parallelCompactMap<Output: Sendable>(
    on pool: WorkerPool, options: MapOptions = MapOptions(),
    _ transform: @escaping @Sendable (Element) async throws -> Output?
  ) async throws -> [Output] {
    try await pool.map(self, options: options, transform).compactMap(\.self)
  }

  /// The elements that the condition holds for, in order; it is computed by the pool's workers.
  @inlinable
  public func parallelFilter(
    on pool: WorkerPool, options: MapOptions = MapOptions(),
    _ isIncluded: @escaping @Sendable (Element) async throws -> Bool
  ) async throws -> [Element] {
    let isIncluded = try await pool.map(self, options: options, isIncluded)
    return zip(self, isIncluded).compactMap { $1 ? $0 : nil }
  }

  /// Transforms the elements in the pool's workers and combines what comes of it, in order, in the calling task.
  @inlinable
  public func parallelReduce<Output: Sendable, Result>(
    on pool: WorkerPool, into initial: Result, options: MapOptions = MapOptions(),
    transform: @escaping @Sendable (Element) async throws -> Output,
    _ combine: (inout Result, Output) throws -> Void
  ) async throws -> Result {
    var result = initial
    for try await output in pool.stream(self, order: .input, options: options, transform) {
      try combine(&result, output)
    }
    return result
  }
}

extension Sequence where Element: Sendable, Self: Sendable {
  // Disfavoured, for these would otherwise be chosen in asynchronous code too, whenever the closure does not wait: a
  // blocked thread of the cooperative pool where a task should have waited.

  /// The transformed elements, in order; computed by the pool's workers while this thread waits.
  @_disfavoredOverload
  @inlinable
  public func parallelMap<Output: Sendable>(
    on pool: WorkerPool, options: MapOptions = MapOptions(),
    _ transform: @escaping @Sendable (Element) throws -> Output
  ) throws -> [Output] {
    try _waitFor { try await pool.map(self, options: options) { try transform($0) } }
  }

  /// Calls the closure for each element, in the pool's workers, while this thread waits.
  @_disfavoredOverload
  @inlinable
  public func parallelForEach(
    on pool: WorkerPool, options: MapOptions = MapOptions(), _ body: @escaping @Sendable (Element) throws -> Void
  ) throws {
    try _waitFor { try await pool.forEach(self, options: options) { try body($0) } }
  }

  /// The transformed elements that are not nil, in order; computed by the pool's workers while this thread waits.
  @_disfavoredOverload
  @inlinable
  public func parallelCompactMap<Output: Sendable>(
    on pool: WorkerPool, options: MapOptions = MapOptions(),
    _ transform: @escaping @Sendable (Element) throws -> Output?
  ) throws -> [Output] {
    try parallelMap(on: pool, options: options, transform).compactMap(\.self)
  }

  /// The elements that the condition holds for, in order; computed by the pool's workers while this thread waits.
  @_disfavoredOverload
  @inlinable
  public func parallelFilter(
    on pool: WorkerPool, options: MapOptions = MapOptions(),
    _ isIncluded: @escaping @Sendable (Element) throws -> Bool
  ) throws -> [Element] {
    zip(self, try parallelMap(on: pool, options: options, isIncluded)).compactMap { $1 ? $0 : nil }
  }
}

/// Runs an asynchronous body to its end while the calling thread, which must not be one of the cooperative pool's, waits.
@usableFromInline
func _waitFor<Output: Sendable>(_ body: @escaping @Sendable () async throws -> Output) throws -> Output {
  let result = WaitedResult<Output>()
  Task {
    do { result.set(.success(try await body())) } catch { result.set(.failure(error)) }
  }
  return try result.wait()
}

private final class WaitedResult<Output: Sendable>: @unchecked Sendable {
  // Sound: written before the bell is rung, read after.
  private var result: Result<Output, any Error>?
  private let bell = Bell()

  func set(_ result: Result<Output, any Error>) {
    self.result = result
    bell.ring()
  }

  func wait() throws -> Output {
    bell.waitForWork()
    return try result!.get()
  }
}
