/// Several sequences as one of tuples, as long as the shortest: `zip` for any number.
///
/// ```swift
/// try await pool.map(zipped(widths, heights, names)) { width, height, name in … }
/// ```
public func zipped<each S: Sequence>(_ sequences: repeat each S) -> ZippedSequence<repeat each S> {
  ZippedSequence(repeat each sequences)
}

/// The sequence of tuples that ``zipped(_:)`` makes.
public struct ZippedSequence<each S: Sequence>: Sequence {
  /// One element of each sequence.
  public typealias Element = (repeat (each S).Element)

  let sequences: (repeat each S)

  init(_ sequences: repeat each S) { self.sequences = (repeat each sequences) }

  /// Starts every sequence.
  public func makeIterator() -> Iterator { Iterator((repeat PackSource((each sequences).makeIterator()))) }

  /// Takes an element of each sequence at a time.
  public struct Iterator: IteratorProtocol {
    private let sources: (repeat PackSource<(each S).Iterator>)
    private var isOver = false

    fileprivate init(_ sources: (repeat PackSource<(each S).Iterator>)) { self.sources = sources }

    /// The next tuple; nil as soon as one sequence has ended.
    public mutating func next() -> (repeat (each S).Element)? {
      if isOver { return nil }
      do {
        return (repeat try (each sources).next())
      } catch {
        isOver = true
        return nil
      }
    }
  }
}

/// An iterator in a box, because the elements of a pack cannot be changed in place.
private final class PackSource<Base: IteratorProtocol> {
  private var base: Base
  init(_ base: Base) { self.base = base }

  func next() throws(EndOfSequence) -> Base.Element {
    guard let element = base.next() else { throw EndOfSequence() }
    return element
  }
}

private struct EndOfSequence: Error {}
