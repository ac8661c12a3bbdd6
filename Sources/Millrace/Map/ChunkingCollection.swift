/// A collection's elements in chunks: consecutive slices that are together the whole.
public struct Chunks<Base: Collection>: Sequence {
  let base: Base
  let total: Int
  let rule: ChunkingRule

  init(_ base: Base, _ rule: (_ total: Int) -> ChunkingRule) {
    self.base = base
    total = base.count
    self.rule = rule(total)
  }

  /// Goes from chunk to chunk.
  public struct Iterator: IteratorProtocol {
    fileprivate let chunks: Chunks
    fileprivate var number = 0
    fileprivate var start: Base.Index

    /// The next chunk.
    public mutating func next() -> Base.SubSequence? {
      guard number < chunks.rule.count(over: chunks.total) else { return nil }
      let size = chunks.offset(number + 1) - chunks.offset(number)
      let end = chunks.base.index(start, offsetBy: size)
      defer { (start, number) = (end, number + 1) }
      return chunks.base[start..<end]
    }
  }

  /// An iterator at the first chunk.
  public func makeIterator() -> Iterator { Iterator(chunks: self, start: base.startIndex) }

  /// The number of chunks.
  public var underestimatedCount: Int { rule.count(over: total) }

  /// Where chunk `number` begins, counted from the first element; behind the last chunk, the end.
  private func offset(_ number: Int) -> Int {
    number < rule.count(over: total) ? rule.start(of: number) : total
  }
}

extension Chunks: Sendable where Base: Sendable {}

extension Chunks: Collection, BidirectionalCollection, RandomAccessCollection where Base: RandomAccessCollection {
  /// The first chunk's number.
  public var startIndex: Int { 0 }
  /// The number of chunks.
  public var endIndex: Int { rule.count(over: total) }

  /// A chunk by its number.
  public subscript(number: Int) -> Base.SubSequence {
    precondition(indices.contains(number), "there is no chunk \(number), there are \(count)")
    let start = base.index(base.startIndex, offsetBy: offset(number))
    return base[start..<base.index(start, offsetBy: offset(number + 1) - offset(number))]
  }
}

extension Collection {
  /// The elements in chunks of `size`; the last may be smaller.
  ///
  /// `size` has to be at least 1.
  public func chunks(of size: Int) -> Chunks<Self> {
    precondition(size >= 1, "chunk size is \(size): it has to be at least 1")
    return Chunks(self) { _ in .items(size) }
  }

  /// The elements in chunks of `size` on average: n chunks hold n × `size` elements together, rounded up.
  ///
  /// 10 elements in chunks of 2.5 are chunks of 3, 2, 3 and 2. `size` has to be finite and at least 1.
  @_disfavoredOverload
  public func chunks(of size: Double) -> Chunks<Self> {
    precondition(size >= 1 && size.isFinite, "chunk size is \(size): it has to be a finite number of at least 1")
    return Chunks(self) { _ in .size(size) }
  }

  /// The elements in so many chunks, or in one for each element if there are fewer.
  ///
  /// `count` has to be at least 1.
  ///
  /// 10 elements in 6 chunks are 2, 2, 1, 2, 2 and 1, as by ``MapOptions/Chunking/count(_:)``.
  public func chunks(count: Int) -> Chunks<Self> {
    precondition(count >= 1, "number of chunks is \(count): it has to be at least 1")
    return Chunks(self) { .sharing($0, count: count) }
  }

  /// The elements in so many chunks whose sizes differ by at most one, the larger first: 10 elements in 4 chunks are 3, 3, 2 and 2.
  ///
  /// - Parameters:
  ///   - count: the number of chunks, at least 1. There are fewer if there are fewer elements.
  ///   - minimum: elements that each chunk has at least, if there are as many; fewer chunks are made for that.
  public func evenChunks(count: Int, atLeast minimum: Int = 1) -> Chunks<Self> {
    precondition(count >= 1, "number of chunks is \(count): it has to be at least 1")
    precondition(minimum >= 1, "smallest chunk is \(minimum): it has to be at least 1")
    return Chunks(self) { .even(total: $0, count: Swift.max(1, Swift.min(count, $0 / minimum))) }
  }

  /// The elements in as few chunks as hold at most `limit` each, their sizes differing by at most one, the larger first.
  ///
  /// 10 elements in chunks of at most 4 are 4, 3 and 3.
  public func evenChunks(atMost limit: Int) -> Chunks<Self> {
    precondition(limit >= 1, "largest chunk is \(limit): it has to be at least 1")
    return Chunks(self) { .even(total: $0, count: Swift.max(1, ChunkingRule.items(limit).count(over: $0))) }
  }
}
