/// What became of one item on its way through a pipeline.
public struct PipelineOutcome<Output: Sendable>: Sendable {
  /// Which item of the source it comes from, from 0. Of a batch that of its first, of a row that of its first branch.
  public let index: Int
  /// The output, or where and why there is none.
  public let result: Result<Output, ItemFailure>
  /// What travelled beside it. Of a failed item that is what it had when it came to the stage at which it failed, or to the first of those
  /// that run together with that one.
  public let meta: Meta

  /// The output; throws the failure if there is none.
  public var output: Output { get throws(ItemFailure) { try result.get() } }
}

/// The outcomes of a pipeline, lazily. Iterating throws what ends the whole run, never for an item.
public struct PipelineOutcomes<Output: Sendable>: AsyncSequence {
  /// What it yields.
  public typealias Element = PipelineOutcome<Output>
  /// What it throws.
  public typealias Failure = any Error

  let makeCursor: () -> PipelineCursor<Output>

  /// Begins a new run.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(cursor: makeCursor()) }

  /// Takes outcomes.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let cursor: PipelineCursor<Output>
    var parcel: Parcel?
    var next = 0

    init(cursor: PipelineCursor<Output>) { self.cursor = cursor }

    /// The next outcome; nil at the end.
    public mutating func next() async throws -> PipelineOutcome<Output>? { try await next(isolation: #isolation) }

    /// The next outcome, without leaving the caller's actor; nil at the end.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws -> PipelineOutcome<Output>? {
      if parcel == nil || next == parcel!.count {
        parcel = nil
        parcel = try await cursor.next()
        next = 0
      }
      guard let parcel else { return nil }
      defer { next += 1 }
      switch parcel.content {
      case .values(let items, let offset):
        let (output, meta) = cursor.value(items, offset + next)
        return PipelineOutcome(index: parcel.sources[next], result: .success(output), meta: meta)
      case .failure(let failure, _, let meta):
        return PipelineOutcome(index: parcel.sources[next], result: .failure(failure), meta: meta)
      case .gap: preconditionFailure("what was left out is known up to a join, and no further")
      }
    }
  }
}

@available(*, unavailable)
extension PipelineOutcomes.AsyncIterator: Sendable {}
