extension RandomAccessCollection where Self: Sendable, SubSequence: Sendable {
  /// The outputs of `transform`, which is given whole slices, joined in order; computed on several threads at once.
  ///
  ///     let levels = samples.mapChunks(of: 4096) { smoothed($0) }
  ///
  /// For functions that work on many items at once. A chunk may give more or fewer outputs than it has items. Threads, errors
  /// and `width` are as in `parallelMap(width:grain:_:)`. To cut in other ways, write it out: `samples.chunks(count: 6).parallelMap { … }`.
  ///
  /// - Parameters:
  ///   - size: items in each chunk but the last, at least 1.
  ///   - width: the most threads to use; by default as many as there are usable CPUs.
  ///   - transform: makes outputs of a slice.
  public func mapChunks<Output: Sendable, Failure: Error>(
    of size: Int, width: Int? = nil, _ transform: @Sendable (SubSequence) throws(Failure) -> [Output]
  ) throws(Failure) -> [Output] {
    joinedArrays(try chunks(of: size).parallelMap(width: width, grain: 1, transform))
  }

  /// The outputs of `transform`, which is given slices of nearly the same size, joined in order; computed on several threads at once.
  ///
  /// - Parameters:
  ///   - count: the number of chunks; their sizes differ by at most one. By default as many as there are usable CPUs.
  ///   - minimum: items that each chunk has at least, if there are as many.
  ///   - width: the most threads to use; by default as many as there are usable CPUs.
  ///   - transform: makes outputs of a slice.
  public func mapChunks<Output: Sendable, Failure: Error>(
    count: Int? = nil, atLeast minimum: Int = 1, width: Int? = nil,
    _ transform: @Sendable (SubSequence) throws(Failure) -> [Output]
  ) throws(Failure) -> [Output] {
    joinedArrays(
      try evenChunks(count: count ?? Crew.shared.cpus, atLeast: minimum)
        .parallelMap(width: width, grain: 1, transform))
  }

  /// The outputs of `transform`, which is given slices of at most so many items and nearly the same size, joined in order;
  /// computed on several threads at once.
  public func mapChunks<Output: Sendable, Failure: Error>(
    atMost limit: Int, width: Int? = nil, _ transform: @Sendable (SubSequence) throws(Failure) -> [Output]
  ) throws(Failure) -> [Output] {
    joinedArrays(try evenChunks(atMost: limit).parallelMap(width: width, grain: 1, transform))
  }

  /// The outputs of `transform`, which is given whole slices, joined in order; computed on several threads while the task waits.
  ///
  /// Threads, errors, cancellation and `width` are as in the `async` `parallelMap`.
  ///
  /// - Parameters:
  ///   - size: items in each chunk but the last, at least 1.
  ///   - width: the most threads to use; by default as many as there are usable CPUs.
  ///   - transform: makes outputs of a slice.
  public func mapChunks<Output: Sendable, Failure: Error>(
    of size: Int, width: Int? = nil, _ transform: @escaping @Sendable (SubSequence) throws(Failure) -> [Output]
  ) async throws(Failure) -> [Output] {
    joinedArrays(try await chunks(of: size).parallelMap(width: width, grain: 1, transform))
  }

  /// The outputs of `transform`, which is given slices of nearly the same size, joined in order; computed on several threads while
  /// the task waits.
  ///
  /// - Parameters:
  ///   - count: the number of chunks; their sizes differ by at most one. By default as many as there are usable CPUs.
  ///   - minimum: items that each chunk has at least, if there are as many.
  ///   - width: the most threads to use; by default as many as there are usable CPUs.
  ///   - transform: makes outputs of a slice.
  public func mapChunks<Output: Sendable, Failure: Error>(
    count: Int? = nil, atLeast minimum: Int = 1, width: Int? = nil,
    _ transform: @escaping @Sendable (SubSequence) throws(Failure) -> [Output]
  ) async throws(Failure) -> [Output] {
    joinedArrays(
      try await evenChunks(count: count ?? Crew.shared.cpus, atLeast: minimum)
        .parallelMap(width: width, grain: 1, transform))
  }

  /// The outputs of `transform`, which is given slices of at most so many items and nearly the same size, joined in order;
  /// computed on several threads while the task waits.
  public func mapChunks<Output: Sendable, Failure: Error>(
    atMost limit: Int, width: Int? = nil, _ transform: @escaping @Sendable (SubSequence) throws(Failure) -> [Output]
  ) async throws(Failure) -> [Output] {
    joinedArrays(try await evenChunks(atMost: limit).parallelMap(width: width, grain: 1, transform))
  }
}
