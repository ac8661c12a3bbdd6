import TestSupport
import Synchronization

/// A lazy, endless sequence that says how far it was read.
struct Endless: Sequence, IteratorProtocol {
  var drawn = CommonCounter()

  mutating func next() -> Int? { drawn.increment() - 1 }
}

/// A sequence of known contents that is neither a collection nor in memory.
func lazily<Element>(_ items: [Element]) -> AnySequence<Element> { AnySequence { items.makeIterator() } }

/// An asynchronous sequence of numbers from 0, which throws after them if told to.
struct Numbers: AsyncSequence, AsyncIteratorProtocol {
  var count: Int
  var throwsAtEnd = false
  var next = 0

  mutating func next(isolation actor: isolated (any Actor)?) async throws(Refused) -> Int? {
    guard next < count else {
      if throwsAtEnd { throw Refused(item: next) }
      return nil
    }
    defer { next += 1 }
    return next
  }

  func makeAsyncIterator() -> Numbers { self }
}
