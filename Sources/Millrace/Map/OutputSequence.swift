/// The outputs of a map, lazily: the input is read as they are taken, within the window.
///
/// The map begins with the first output that is asked for. Leaving the loop early ends it, and the pool is free at once.
///
/// It is `Sendable` if the input is: `Items` is its type, and of no other use. So it goes to other tasks, and takes what asks
/// for a `Sendable` sequence, such as the `cancelOnGracefulShutdown()` of ServiceLifecycle.
///
/// When the loop has been left, or the map has ended with an error or by cancellation, nobody reads the input any more, and whoever
/// keeps it may read on. What had been read ahead is lost: the items right behind those whose outputs were taken, as many as the
/// ``MapOptions/Window`` held, and at most one that was on its way. So that nothing is lost, submit single items
/// (``WorkerPool/submit(_:with:options:)``), or let the input end and take all outputs.
///
/// - A sequence that blocks inside `next()` cannot be interrupted. It is waited for, half a second at the most; after that its thread
///   is left alone, and the one item that it comes out with is dropped.
/// - An asynchronous sequence is given 5 ms to come out of `next()`; then the task that reads it is cancelled. An `AsyncStream` that
///   somebody waits on ends when that happens. One that ignores cancellation is left alone after half a second.
public struct OutputSequence<Output: Sendable, Items>: AsyncSequence {
  /// What it yields.
  public typealias Element = Output
  /// What it throws: an ``ItemFailure`` (`.failFast`), ``ItemFailures`` (`.collect`), a ``WorkerPoolError``, the input's
  /// own error, or `CancellationError`.
  public typealias Failure = any Error

  let makeSource: () -> any OutputSource<Output>

  /// Begins the map anew.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: makeSource()) }

  /// Takes outputs.
  public struct AsyncIterator: AsyncIteratorProtocol {
    @usableFromInline let source: any OutputSource<Output>
    @usableFromInline var outputs: OutputBuffer<Output>?
    @usableFromInline var offset = 0
    @usableFromInline var left = 0

    init(source: any OutputSource<Output>) { self.source = source }

    /// The next output; nil at the end.
    @inlinable
    public mutating func next() async throws -> Output? { try await next(isolation: #isolation) }

    /// The next output, without leaving the caller's actor; nil at the end.
    ///
    /// This is what a `for try await` loop calls. An actor that had to be left and entered again for each output would cost
    /// it two changes of threads.
    @inlinable
    public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Output? {
      if left == 0 { try await refill() }
      return nextAtHand()
    }

    /// The next of those that are here already, without a chance to suspend; nil: there is none.
    @inlinable
    mutating func nextAtHand() -> Output? {
      guard let outputs, left > 0 else { return nil }
      let output = outputs[offset: offset]
      left &-= 1
      offset &+= 1
      return output
    }

    /// Puts those that are here already behind the others, but for their first, which `next` has taken.
    mutating func takeAtHand(into others: inout [Output]) {
      guard let outputs, left > 0 else { return }
      others.append(contentsOf: UnsafeBufferPointer(start: outputs.storage + offset, count: left))
      left = 0
    }

    @usableFromInline
    mutating func refill() async throws {
      outputs = nil
      guard let (outputs, range) = try await source.nextOutputs() else { return }
      self.outputs = outputs
      offset = range.lowerBound - outputs.base
      left = range.count
    }
  }
}

// Sound: the closure holds the pool, the worker and the options, which are Sendable, and the items. Each iteration makes
// its own iterator of them.
extension OutputSequence: @unchecked Sendable where Items: Sendable {}

// Two loops that share one iterator would take the outputs from each other.
@available(*, unavailable)
extension OutputSequence.AsyncIterator: Sendable {}

@usableFromInline
protocol OutputSource<Output>: AnyObject {
  associatedtype Output: Sendable
  func nextOutputs() async throws -> (outputs: OutputBuffer<Output>, range: Range<Int>)?
}

extension Cursor: OutputSource {}

/// The outcomes of a map, lazily, each with its input. See ``OutputSequence``; it is `Sendable` if the input is.
///
/// Iterating never throws for an item. It throws what ends the whole map: a ``WorkerPoolError``, the input's own error,
/// or `CancellationError`.
public struct OutcomeSequence<Input: Sendable, Output: Sendable, Items>: AsyncSequence {
  /// What it yields.
  public typealias Element = Outcome<Input, Output>
  /// What it throws.
  public typealias Failure = any Error

  let makeCursor: () -> Cursor<Input, Output>

  /// Begins the map anew.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(cursor: makeCursor()) }

  /// Takes outcomes.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let cursor: Cursor<Input, Output>
    var segment: Segment?
    var index = 0

    init(cursor: Cursor<Input, Output>) { self.cursor = cursor }

    /// The next outcome; nil at the end.
    public mutating func next() async throws -> Outcome<Input, Output>? { try await next(isolation: #isolation) }

    /// The next outcome, without leaving the caller's actor; nil at the end.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Outcome<Input, Output>? {
      while segment == nil || index == segment!.range.upperBound {
        segment = nil
        segment = try await cursor.next()
        guard let segment else { return nil }
        index = segment.wasDelivered ? segment.range.upperBound : segment.range.lowerBound
      }
      guard let segment else { return nil }
      defer { index += 1 }
      let result: Result<Output, ItemFailure> =
        switch segment.content {
        case .outputs(let outputs): .success(unsafeDowncast(outputs, to: OutputBuffer<Output>.self)[index])
        case .failure(let failure): .failure(failure)
        }
      return Outcome(
        index: index, input: unsafeDowncast(segment.cell, to: InputCell<Input>.self)[index], slot: segment.slot,
        attempt: segment.attempt, result: result)
    }
  }
}

// Sound: as `OutputSequence`.
extension OutcomeSequence: @unchecked Sendable where Items: Sendable {}

@available(*, unavailable)
extension OutcomeSequence.AsyncIterator: Sendable {}
