extension MapOptions {
  /// How many items may be between the input and the consumer: read, queued, running, waiting to be in order.
  public struct Window: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
      case automatic
      case items(Int)
      case chunks(Double)
      case perWorker(Double)
    }
    let kind: Kind

    /// Two chunks for each worker. Sixteen where input and outputs are in memory anyway, as for an array whose map is collected
    /// into another, and more if they are small.
    ///
    /// Where chunks are automatic too, it is eight chunks as long as items are so quick that a chunk has several, and the window of
    /// a stream holds at most 64 items for each worker and as many as its consumer has taken, and never more than 65,536 for each
    /// worker: who leaves the loop after 40 outputs has read some hundred items, however quick they are.
    ///
    /// An item that takes longer than all that the window has behind it makes the other workers wait. If a few take thousands of
    /// times as long as the rest, a wider window keeps all workers busy meanwhile.
    public static let automatic = Window(kind: .automatic)

    static let ahead = 64

    /// At most so many items, at least 1.
    public static func items(_ count: Int) -> Window { Window(kind: .items(count)) }

    /// So many chunks for each worker, whatever their size; at least 1.
    public static func chunksPerWorker(_ count: Double) -> Window { Window(kind: .chunks(count)) }

    /// So many items for each worker; at least 1.
    public static func itemsPerWorker(_ count: Double) -> Window {
      Window(kind: .perWorker(count))
    }
  }
}
