import MillraceIPC

/// Where a job's items come from, and who pulls them, or pushes.
///
/// The input is read by one reader at a time, only when the dispatcher asks, and never under a lock.
package enum Reader<Input: Sendable>: Sendable {
  /// In memory: whoever is there reads on, at once.
  case inline(Pull<Input>)
  /// A sequence that may compute or block: a thread of its own reads.
  case blocking(Pull<Input>)
  /// A sequence that runs code of an actor: it is read there.
  case isolated(IsolatedPull<Input>)
  /// An asynchronous sequence: a task of its own reads.
  case asynchronous(AsyncPull<Input>)
  /// A pipeline's source, which puts items when there is room: in a task of its own.
  case produced(@Sendable (Outlet<Input>) async throws -> Void)
  /// Nobody reads: another job's outputs come, as they are asked for.
  case pushed(Edge<Input>)
}

/// Items that were taken out of an inbox, the last of its cell.
package struct Batch: Sendable {
  package let count: Int
  package let cell: any AnyObject & Sendable
}

/// How far a reader has come with what it was asked for.
@usableFromInline
package enum Reading: Sendable {
  /// It reads on.
  case goesOn
  case complete
  /// The input has no more.
  case ended
  case failed(any Error)
}

/// Pulls from a sequence. The loop is compiled where the sequence's type is known.
@usableFromInline
package final class Pull<Input: Sendable>: @unchecked Sendable {
  // Sound: the dispatcher asks for one read at a time, and the reads follow each other through its lock.
  private let fill: (Inbox<Input>) -> Inbox<Input>.Pause

  @inlinable
  package convenience init<S: Sequence>(_ items: S) where S.Element == Input {
    var iterator = items.makeIterator()
    self.init { inbox in inbox.fill { iterator.next() } }
  }

  /// From an array: as many at once as there is room for. It is read where it is asked for, by nobody else.
  @usableFromInline
  convenience init(array: [Input]) {
    var next = 0
    self.init { inbox in
      array.withUnsafeBufferPointer { items in
        let (count, pause) = inbox.fillAlone(from: UnsafeBufferPointer(rebasing: items[next...]))
        next += count
        return pause
      }
    }
  }

  @usableFromInline
  init(_ fill: @escaping (Inbox<Input>) -> Inbox<Input>.Pause) { self.fill = fill }

  /// Reads on, until the demand is met, the input ends, or somebody calls.
  func read(into inbox: Inbox<Input>) -> Reading {
    while true {
      let pause = fill(inbox)
      if case .ended = pause { return .ended }
      if inbox.isComplete { return .complete }
      guard case .full = pause else { return .goesOn }
      inbox.grow()
    }
  }
}

/// Pulls from a sequence that only an actor may read.
@usableFromInline
package final class IsolatedPull<Input: Sendable>: @unchecked Sendable {
  // Sound: what it pulls from is made and read on the actor.
  let actor: any Actor
  private let make: () -> Pull<Input>
  private var pull: Pull<Input>?

  init(_ actor: any Actor, _ make: @escaping () -> Pull<Input>) {
    self.actor = actor
    self.make = make
  }

  /// As `Pull.read`.
  ///
  /// - Parameter isolation: its actor.
  func read(into inbox: Inbox<Input>, on isolation: isolated any Actor) -> Reading {
    let pull = pull ?? make()
    self.pull = pull
    return pull.read(into: inbox)
  }
}

/// Pulls from an asynchronous sequence. The loop is compiled where the sequence's type is known, and is one function: each
/// that awaits another asks where it is to go on, which costs more than an item.
@usableFromInline
package final class AsyncPull<Input: Sendable>: @unchecked Sendable {
  // Sound: as `Pull`.
  private let fill: (Inbox<Input>) async -> Reading

  @inlinable
  package convenience init<S: AsyncSequence>(_ items: S) where S.Element == Input {
    nonisolated(unsafe) var iterator = items.makeAsyncIterator()
    self.init { inbox in
      do {
        while let item = try await iterator.next() {
          if inbox.put(item) { return inbox.isComplete ? .complete : .goesOn }
        }
        return .ended
      } catch {
        return .failed(error)
      }
    }
  }

  @usableFromInline
  init(_ fill: @escaping (Inbox<Input>) async -> Reading) { self.fill = fill }

  /// Reads on, until the demand is met, the input ends or throws, or somebody calls.
  func read(into inbox: Inbox<Input>) async -> Reading { await fill(inbox) }
}
