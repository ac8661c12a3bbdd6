// The forms for `async` code whose closures are synchronous. The work runs on threads of the crew, never on the cooperative pool;
// the awaiting task is suspended once and resumed once.
extension RandomAccessCollection where Self: Sendable, Element: Sendable {
  /// The results of `transform` for all items, in their order, computed on several threads while the task waits.
  ///
  ///     let thumbnails = try await photos.parallelMap { try thumbnail(of: $0) }
  ///
  /// At the top level of `main.swift` the compiler takes the synchronous form, and warns that "no 'async' operations occur within
  /// 'await' expression": leave `await` out there, or write the call in an `async` function.
  ///
  /// `transform` may block: it runs on threads of Millrace's own, most of them outside of the task. So it cannot rely
  /// on `Task.isCancelled` and task-local values. It must not wait for another `async` parallel call, which may need its thread.
  ///
  /// If `transform` throws, no further items are begun, and when the running ones have ended, the error is
  /// rethrown; if several threw, that of the lowest item. If the task is cancelled, a call whose closure throws
  /// (untyped, or `CancellationError`) stops early in the same way, with a `CancellationError`. One whose closure cannot throw
  /// has no way to say that outputs are missing, so it goes on to its end: where that takes long, let the closure be one that
  /// throws (`{ photo throws in … }`), whether it ever does or not.
  ///
  /// - Parameters:
  ///   - width: threads to use. By default at most as many as there are usable CPUs, shared with all other calls; a width
  ///     that is given is granted.
  ///   - grain: how many items a thread takes at a time; by default adapted to the time that they take.
  ///   - transform: makes an output of an item; it is called on several threads at once.
  @inlinable
  public func parallelMap<Output: Sendable, Failure: Error>(
    width: Int? = nil, grain: Int? = nil,
    _ transform: @escaping @Sendable (Element) throws(Failure) -> Output
  ) async throws(Failure) -> [Output] {
    try await AsyncCall.run(AsyncInput(self, width, grain), isGranted: width != nil, throwing: Failure.self) {
      input, stop in
      Result { () throws(Failure) in
        try input.base._parallelMap(width: input.width, grain: input.grain, stop: stop, transform)
      }
    }
  }

  /// Runs `body` for every item, on several threads at once, in no particular order, while the task waits.
  ///
  /// Threads, errors, cancellation, `width` and `grain` are as in the `async` `parallelMap(width:grain:_:)`.
  @inlinable
  public func parallelForEach<Failure: Error>(
    width: Int? = nil, grain: Int? = nil, _ body: @escaping @Sendable (Element) throws(Failure) -> Void
  ) async throws(Failure) {
    try await AsyncCall.run(AsyncInput(self, width, grain), isGranted: width != nil, throwing: Failure.self) {
      input, stop in
      Result { () throws(Failure) in
        try input.base._parallelForEach(width: input.width, grain: input.grain, stop: stop, body)
      }
    }
  }

  /// The results of `transform` that are not nil, in the order of their items, computed on several threads while the task waits.
  ///
  /// Threads, errors, cancellation, `width` and `grain` are as in the `async` `parallelMap(width:grain:_:)`.
  @inlinable
  public func parallelCompactMap<Output: Sendable, Failure: Error>(
    width: Int? = nil, grain: Int? = nil, _ transform: @escaping @Sendable (Element) throws(Failure) -> Output?
  ) async throws(Failure) -> [Output] {
    try await AsyncCall.run(AsyncInput(self, width, grain), isGranted: width != nil, throwing: Failure.self) {
      input, stop in
      Result { () throws(Failure) in
        try input.base._parallelCompactMap(width: input.width, grain: input.grain, stop: stop, transform)
      }
    }
  }

  /// The items for which `isIncluded` holds, in their order, tested on several threads while the task waits.
  ///
  /// Threads, errors, cancellation, `width` and `grain` are as in the `async` `parallelMap(width:grain:_:)`.
  @inlinable
  public func parallelFilter<Failure: Error>(
    width: Int? = nil, grain: Int? = nil, _ isIncluded: @escaping @Sendable (Element) throws(Failure) -> Bool
  ) async throws(Failure) -> [Element] {
    try await AsyncCall.run(AsyncInput(self, width, grain), isGranted: width != nil, throwing: Failure.self) {
      input, stop in
      Result { () throws(Failure) in
        try input.base._parallelFilter(width: input.width, grain: input.grain, stop: stop, isIncluded)
      }
    }
  }

  /// All items combined into one, on several threads while the task waits.
  ///
  /// What `combine` has to be stands at the synchronous form, ``parallelReduce(_:width:grain:_:)``; threads, errors,
  /// cancellation, `width` and `grain` are as in the `async` `parallelMap(width:grain:_:)`.
  @inlinable
  public func parallelReduce<Failure: Error>(
    _ initial: Element, width: Int? = nil, grain: Int? = nil,
    _ combine: @escaping @Sendable (Element, Element) throws(Failure) -> Element
  ) async throws(Failure) -> Element {
    try await AsyncCall.run((AsyncInput(self, width, grain), initial), isGranted: width != nil, throwing: Failure.self)
    { input, stop in
      Result { () throws(Failure) in
        try input.0.base._parallelReduce(input.1, width: input.0.width, grain: input.0.grain, stop: stop, combine)
      }
    }
  }

  /// All items gathered into one value, on several threads while the task waits.
  ///
  /// What `initial`, `update` and `merge` have to be stands at the synchronous form, ``parallelReduce(into:width:grain:_:merge:)``;
  /// threads, errors, cancellation, `width` and `grain` are as in the `async` `parallelMap(width:grain:_:)`.
  @inlinable
  public func parallelReduce<Output: Sendable, Failure: Error>(
    into initial: Output, width: Int? = nil, grain: Int? = nil,
    _ update: @escaping @Sendable (inout Output, Element) throws(Failure) -> Void,
    merge: @escaping @Sendable (inout Output, Output) throws(Failure) -> Void
  ) async throws(Failure) -> Output {
    try await AsyncCall.run((AsyncInput(self, width, grain), initial), isGranted: width != nil, throwing: Failure.self)
    { input, stop in
      Result { () throws(Failure) in
        try input.0.base._parallelReduce(
          into: input.1, width: input.0.width, grain: input.0.grain, stop: stop, update, merge: merge)
      }
    }
  }
}
