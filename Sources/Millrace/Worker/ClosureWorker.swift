import MillraceIPC

/// Told from workers whose set-up and tear-down are a user's.
protocol ClosureWorkerType {
  /// What the user wrote, not what became of it.
  static var closureName: String { get }
}

extension ClosureWorker: ClosureWorkerType {
  static var closureName: String { "the closure (\(readableTypeName(Input.self))) -> \(readableTypeName(Output.self))" }
}

/// A worker of ours around a user's.
protocol WrappingWorker {
  static var wrapped: Any.Type { get }
}

/// The name of a worker's type, as its user knows it.
func workerName(_ type: Any.Type) -> String {
  if let type = type as? any WrappingWorker.Type { return workerName(type.wrapped) }
  return (type as? any ClosureWorkerType.Type)?.closureName ?? readableTypeName(type)
}

/// A closure as a worker.
///
/// The loop over a chunk is made where the closure is written, so that it is compiled for its types.
public struct ClosureWorker<Input: Sendable, Output: Sendable>: StatelessWorker {
  @usableFromInline let body: @Sendable (Input) async throws -> Output
  @usableFromInline let loop: @Sendable (inout _ItemRun<Input, Output>) async -> _RunEnd

  /// Makes a worker of a closure.
  @inlinable
  public init(_ body: @escaping @Sendable (Input) async throws -> Output) {
    self.body = body
    loop = { run in
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

  /// Runs the closure on one item.
  public func process(_ item: Input) async throws -> Output { try await body(item) }

  /// Runs the closure over the items of a chunk.
  public func _run(_ run: inout _ItemRun<Input, Output>, _ state: inout Void) async -> _RunEnd { await loop(&run) }
}
