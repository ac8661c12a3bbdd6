import Synchronization

/// Raised from outside to end a parallel call before its last item: by the cancellation of the task that awaits it.
@usableFromInline
final class StopToken: Sendable {
  private let raised = Atomic<Bool>(false)

  init() {}

  var isRaised: Bool { raised.load(ordering: .relaxed) }

  func raise() { raised.store(true, ordering: .relaxed) }
}
