import MillraceIPC

/// The error of the lowest item among those that failed before the call came to its end.
@usableFromInline
final class FirstFailure<Failure: Error>: Sendable {
  private let slot = Lock<(index: Int, error: Failure)?>(nil)

  @usableFromInline
  init() {}

  @usableFromInline
  func note(_ error: Failure, at index: Int) {
    slot.withLock { if $0.map({ index < $0.index }) ?? true { $0 = (index, error) } }
  }

  /// Throws what was noted.
  ///
  /// A call that ended early without an error was cancelled; its `Failure` can say so, or it would not have been
  /// given a token.
  @usableFromInline
  func rethrow() throws(Failure) {
    if let failure = slot.withLock({ $0?.error }) { throw failure }
    if let cancelled = CancellationError() as? Failure { throw cancelled }
  }
}
