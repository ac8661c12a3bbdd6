extension MapOptions {
  /// When a failed item is tried again. It keeps its place in the order and its random numbers.
  public struct Retry: Sendable {
    /// How often an item is tried again at the most.
    public var maximum: Int
    /// How long to wait before it is.
    public var backoff: Backoff
    /// How often an item may crash its worker before it is quarantined, whatever `maximum` says. On worker processes;
    /// elsewhere a crash is the program's end.
    public var maximumCrashes: Int
    /// Whether a failure is worth a retry; nil: every one. It should answer at once: it may be asked on the thread that keeps the pool's limits on time.
    public var condition: (@Sendable (ItemFailure) -> Bool)?

    /// A failed item has failed.
    public static let never = Retry(maximum: 0, backoff: .none, maximumCrashes: 3, condition: nil)

    /// Up to `maximum` more attempts, at once unless a back-off is given; an item that has crashed its worker
    /// `maximumCrashes` times (default 3) is not tried again. `when` says which failures are worth it (default: all).
    public static func upTo(
      _ maximum: Int, backoff: Backoff = .none, maximumCrashes: Int = 3,
      when condition: (@Sendable (ItemFailure) -> Bool)? = nil
    ) -> Retry {
      Retry(maximum: maximum, backoff: backoff, maximumCrashes: maximumCrashes, condition: condition)
    }
  }
}
