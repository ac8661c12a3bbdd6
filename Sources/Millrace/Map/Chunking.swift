extension MapOptions {
  /// How items are put together in chunks.
  ///
  /// A chunk travels as one; its size is a matter of speed, never of meaning: what has come of an input goes out as soon as a worker
  /// is free, and no chunk waits for more. However large chunks are to be, none holds more than 1,048,576 items.
  ///
  ///     pool.map(rows, options: MapOptions(chunking: .size(100))) { … }
  public struct Chunking: Sendable, Hashable {
    enum Rule: Sendable, Hashable {
      case automatic
      case items(Int)
      case fraction(Double)
      case count(Int)
      case perWorker(Int)
    }

    let rule: Rule

    /// Sizes follow the time that items take, so that a chunk takes about a millisecond (20 on a cluster), long against the price of
    /// sending one, and grow smaller towards a known end, down to what takes five microseconds.
    public static let automatic = Chunking(rule: .automatic)

    /// Chunks of `size` items; the last may be smaller.
    ///
    /// A chunk is run by one worker. Only when it has been under way for two milliseconds, and another worker has nothing to do,
    /// may that get a part of what was not begun. Items that have to stay together are one item: `rows.chunks(of: 3)`.
    ///
    /// `size` has to be at least 1.
    public static func size(_ size: Int) -> Chunking { Chunking(rule: .items(size)) }

    /// Chunks of `size` items on average: n chunks hold n × `size` items together, rounded up.
    ///
    /// 10 items in chunks of 2.5 are chunks of 3, 2, 3 and 2. `size` has to be finite and at least 1.
    @_disfavoredOverload
    public static func size(_ size: Double) -> Chunking { Chunking(rule: .fraction(size)) }

    /// So many chunks, or one for each item if there are fewer.
    ///
    /// Needs an input of known length. `count` has to be at least 1.
    ///
    /// The items are spread as by ``size(_:)-(Double)`` with the exact quotient: 10 items in 6 chunks are 2, 2, 1, 2, 2 and 1.
    public static func count(_ count: Int) -> Chunking { Chunking(rule: .count(count)) }

    /// So many chunks for each worker of the pool, as by ``count(_:)``: `count` times the width.
    ///
    /// They are not dealt out: a worker that is ready takes the next, so one may run two of a `.perWorker(1)` and another none. With
    /// ``MapOptions/Dispatch/roundRobin`` each worker has its own. Needs an input of known length.
    public static func perWorker(_ count: Int) -> Chunking { Chunking(rule: .perWorker(count)) }

    private init(rule: Rule) {
      self.rule = rule
    }

    /// From two optional settings, of which the size wins; for those who take both from elsewhere, a command line for one.
    ///
    /// - Throws: ``InvalidOption`` if both are nil, or the one that counts is not allowed.
    public init(size: Double?, count: Int?) throws(InvalidOption) {
      if let size {
        self = .size(size)
      } else if let count {
        self = .count(count)
      } else {
        throw InvalidOption(name: "chunk size and count", value: "nil", allowed: "given, at least one of them")
      }
      try validate()
    }

    /// Whether the rule needs to know the length of the input.
    public var needsCount: Bool {
      switch rule {
      case .automatic, .items, .fraction: false
      case .count, .perWorker: true
      }
    }

    /// - Throws: ``InvalidOption`` if the number in the rule is not allowed.
    public func validate() throws(InvalidOption) {
      switch rule {
      case .automatic: break
      case .items(let size): try Self.require(size >= 1, "chunk size", size, "at least 1")
      case .fraction(let size):
        try Self.require(size >= 1 && size.isFinite, "chunk size", size, "a finite number of at least 1")
      case .count(let count): try Self.require(count >= 1, "number of chunks", count, "at least 1")
      case .perWorker(let count): try Self.require(count >= 1, "chunks per worker", count, "at least 1")
      }
    }

    private static func require(
      _ isAllowed: Bool, _ name: String, _ value: some Any, _ allowed: String
    ) throws(InvalidOption) {
      if !isAllowed { throw InvalidOption(name: name, value: value, allowed: allowed) }
    }
  }
}
