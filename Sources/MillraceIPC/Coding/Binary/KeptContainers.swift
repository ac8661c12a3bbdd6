/// A keyed container that its user has kept beyond its value.
struct KeptContainer {
  var object: AnyObject?
  let free: () -> Void
}

/// Keyed containers that somebody has kept beyond their values, until nobody has them any more.
///
/// Nobody should: they are of no use then, and every call of theirs is an error. But what they refer to has to be there as long as
/// they are.
package enum KeptContainers {
  private struct State {
    var all: [KeptContainer] = []
    /// How many there may be before it is looked which are free.
    var limit = 16
  }

  // A `Lock`, for a forked process uses it too.
  private static let state = Lock(State())

  /// Takes the lock, once: a forked process finds out whether it is free there.
  package static func pass() { state.withLock { _ in } }

  static func add(_ container: KeptContainer) {
    nonisolated(unsafe) let container = container
    state.withLock { state in
      state.all.append(container)
      guard state.all.count > state.limit else { return }
      var index = 0
      while index < state.all.count {
        if isKnownUniquelyReferenced(&state.all[index].object) {
          state.all[index].free()
          state.all.swapAt(index, state.all.count - 1)
          state.all.removeLast()
        } else {
          index += 1
        }
      }
      state.limit = max(16, state.all.count * 2)
    }
  }
}
