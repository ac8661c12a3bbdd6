/// A worker that keeps nothing between items, and opens and closes nothing.
///
/// ```swift
/// struct Square: StatelessWorker {
///   func process(_ item: Int) -> Int { item * item }
/// }
/// ```
public protocol StatelessWorker<Input, Output>: Worker where State == Void, Exit == Void {
  // Declared anew, or nothing is inferred from `process(_:)`.

  /// What an item is.
  associatedtype Input
  /// What becomes of it.
  associatedtype Output
  /// Nothing.
  associatedtype State = Void
  /// Nothing.
  associatedtype Exit = Void

  /// Turns an item into an output. An error is this item's alone; the worker goes on.
  func process(_ item: Input) async throws -> Output
}

extension StatelessWorker {
  /// Turns an item into an output, without a state.
  @inlinable
  @inline(__always)
  public func process(_ item: Input, state: inout Void) async throws -> Output { try await process(item) }

  /// Nothing right ever picks this: it tells a type whose `process` is not what a worker needs what to write.
  @available(*, unavailable, message: "write 'func process(_ item: Input) async throws -> Output'")
  public func process(_ item: Never) async throws -> Never {}
}
