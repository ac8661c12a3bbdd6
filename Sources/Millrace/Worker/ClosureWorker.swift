/// Told from workers whose set-up and tear-down are a user's.
protocol ClosureWorkerType {}
extension ClosureWorker: ClosureWorkerType {}

/// A closure as a worker.
///
/// The loop over a chunk is made where the closure is written, so that it is compiled for its types.
public struct ClosureWorker<Input: Sendable, Output: Sendable>: Worker {
  @usableFromInline let body: @Sendable (Input, WorkerContext) async throws -> Output
  @usableFromInline let loop: @Sendable (inout _ItemRun<Input, Output>, WorkerContext) async -> _RunEnd

  /// Makes a worker of a closure that gets the item.
  @inlinable
  public init(_ body: @escaping @Sendable (Input) async throws -> Output) {
    self.body = { item, _ in try await body(item) }
    loop = { run, _ in
      while run._begin() {
        do {
          let output = try await body(run._item)
          guard run._finish(output) else { return .abandoned }
        } catch {
          return .threw(error)
        }
      }
      return .finished
    }
  }

  /// Makes a worker of a closure that gets the item and the worker's context.
  ///
  /// Disfavoured, as are the methods of the map family that take such a closure: `{ a, b in … }` over pairs means both
  /// parts of the pair wherever it can.
  @_disfavoredOverload
  @inlinable
  public init(_ body: @escaping @Sendable (Input, WorkerContext) async throws -> Output) {
    self.body = body
    loop = { run, context in
      while run._begin() {
        do {
          let output = try await body(run._item, context)
          guard run._finish(output) else { return .abandoned }
        } catch {
          return .threw(error)
        }
      }
      return .finished
    }
  }

  /// Keeps the context for the closure.
  public func setUp(_ context: WorkerContext) -> WorkerContext { context }

  /// Runs the closure on one item.
  public func process(_ item: Input, state: inout WorkerContext) async throws -> Output {
    try await body(item, state)
  }

  /// Runs the closure over the items of a chunk.
  public func _run(_ run: inout _ItemRun<Input, Output>, _ state: inout WorkerContext) async -> _RunEnd {
    await loop(&run, state)
  }
}
