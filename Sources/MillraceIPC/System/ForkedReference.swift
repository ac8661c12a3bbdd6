import Synchronization

/// An object that forks of this process find as well, though somebody may have had any lock when they were made.
package final class ForkedReference<Object: AnyObject & Sendable>: Sendable {
  private let kept = Lock<Object?>(nil)
  /// Sound: it is kept for as long as it is here. A fork has both as they were, and lets go of nothing.
  private let seen = Atomic<UInt>(0)

  package init() {}

  /// Keeps this one, and lets go of the one before.
  package func set(_ object: Object?) {
    let before = kept.withLock { kept in
      seen.store(object.map { UInt(bitPattern: Unmanaged.passUnretained($0).toOpaque()) } ?? 0, ordering: .releasing)
      defer { kept = object }
      return kept
    }
    withExtendedLifetime(before) {}
  }

  /// For forks only: elsewhere it may be let go of meanwhile.
  package var inFork: Object? {
    UnsafeRawPointer(bitPattern: seen.load(ordering: .acquiring)).map {
      Unmanaged<Object>.fromOpaque($0).takeUnretainedValue()
    }
  }
}
