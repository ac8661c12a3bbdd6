extension MapOptions {
  /// Limits on time; nil means none.
  ///
  /// On worker processes an overdue item, set-up or tear-down ends with its worker: SIGTERM, and after the grace SIGKILL,
  /// to it and all its descendants. On threads and tasks cancellation is cooperative: the item fails in time and a new
  /// worker takes the slot, but the runaway goes on until it looks at `Task.isCancelled`; it is logged. In a serial pool, whose work is
  /// done by whoever asks for results, nobody can leave code that runs, and it is not cancelled: what has taken longer than its
  /// limit fails as elsewhere, but only when it has returned.
  public struct Timeouts: Sendable, Hashable {
    /// How long an item may run.
    public var item: Duration?
    /// How long a worker's set-up may take.
    public var setUp: Duration?
    /// How long a worker's tear-down may take.
    public var tearDown: Duration?
    /// How long the whole map or submission may take, from when it is given to the pool: waiting for a worker counts.
    ///
    /// Then it ends with a ``WorkerPoolError`` of kind ``WorkerPoolError/Kind-swift.enum/timedOut``, and what it has running is given up,
    /// as when it is cancelled.
    public var total: Duration?

    /// Creates limits.
    public init(
      item: Duration? = nil, setUp: Duration? = nil, tearDown: Duration? = nil, total: Duration? = nil
    ) {
      self.item = item
      self.setUp = setUp
      self.tearDown = tearDown
      self.total = total
    }
  }

  /// When a worker is replaced by a fresh one: it finishes its chunk and tears down first. nil means never.
  public struct Lifespan: Sendable, Hashable {
    /// After so many items.
    public var items: Int?
    /// When it has so many bytes of memory (resident; worker processes only).
    public var memory: Int?
    /// When it has been there so long.
    public var age: Duration?

    /// Creates a lifespan.
    public init(items: Int? = nil, memory: Int? = nil, age: Duration? = nil) {
      self.items = items
      self.memory = memory
      self.age = age
    }
  }
}
