import MillraceIPC

/// Where a job's items come from, and who pulls them.
///
/// The input is read by one reader at a time, only when the dispatcher asks, and never under a lock.
package enum Reader<Input: Sendable>: Sendable {
  /// In memory: whoever is there reads on, at once.
  case inline(Pull<Input>)
  /// A sequence that may compute or block: a thread of its own reads.
  case blocking(Pull<Input>)
  /// An asynchronous sequence: a task of its own reads.
  case asynchronous(AsyncPull<Input>)
}

/// What a read brought.
package struct Batch: Sendable {
  package let count: Int
  package let cell: any AnyObject & Sendable
  package let ended: Bool
}

/// Pulls from a sequence. The loop is compiled where the sequence's type is known.
@usableFromInline
package final class Pull<Input: Sendable>: @unchecked Sendable {
  // Sound: the dispatcher asks for one read at a time, and the reads follow each other through its lock.
  private let fill: (_ base: Int, _ limit: Int) -> InputCell<Input>
  private var base = 0

  @inlinable
  package convenience init<S: Sequence>(_ items: S) where S.Element == Input {
    var iterator = items.makeIterator()
    self.init { base, limit in InputCell(base: base, limit: limit) { iterator.next() } }
  }

  @usableFromInline
  init(_ fill: @escaping (_ base: Int, _ limit: Int) -> InputCell<Input>) { self.fill = fill }

  package func read(_ count: Int) -> Batch {
    KillPoint.parentReads.reach()
    let cell = fill(base, count)
    base += cell.count
    return Batch(count: cell.count, cell: cell, ended: cell.count < count)
  }
}

/// Pulls from an asynchronous sequence.
package final class AsyncPull<Input: Sendable>: @unchecked Sendable {
  // Sound: as `Pull`.
  private let next: () async throws -> Input?
  private var base = 0

  package init<S: AsyncSequence>(_ items: S) where S.Element == Input {
    nonisolated(unsafe) var iterator = items.makeAsyncIterator()
    next = { try await iterator.next() }
  }

  /// Reads up to `count` items; an error after some of them is kept for the next call.
  package func read(_ count: Int) async throws -> Batch {
    if let pending { throw pending }
    var taken: ContiguousArray<Input> = []
    do {
      while taken.count < count, let item = try await next() { taken.append(item) }
    } catch {
      if taken.isEmpty { throw error }
      pending = error
    }
    let cell = InputCell(base: base, items: taken)
    base += cell.count
    return Batch(count: cell.count, cell: cell, ended: cell.count < count && pending == nil)
  }

  private var pending: (any Error)?
}
