/// Somebody who is told of each of a pool's events, in order.
package protocol EventObserver: AnyObject, Sendable {
  /// Takes the event in, under the pool's lock: no code of a user's runs here. Returns what it lets go of for it, which may hold what is
  /// the user's, so that no lock is held when it goes.
  func accept(_ event: PoolEvent) -> PoolEvent?
  /// There may be something, and no lock is held.
  func flush()
  /// There will be no more events.
  func end()
  /// Whether workers are to say now and then how much memory they have.
  var wantsMemory: Bool { get }
}

extension EventObserver {
  package var wantsMemory: Bool { false }
  package func flush() {}
  package func end() {}
}

/// An observer's place in the pool, which it has for as long as this is kept.
package final class Observation: Sendable {
  private let observer: any EventObserver
  private let core: PoolCore

  init(_ observer: any EventObserver, _ core: PoolCore) {
    self.observer = observer
    self.core = core
  }

  deinit {
    // In a forked copy of the program nobody is told anything, and the pool's lock may never be free.
    if (try? core.expectOwnProcess()) != nil { core.forget(observer) }
  }
}
