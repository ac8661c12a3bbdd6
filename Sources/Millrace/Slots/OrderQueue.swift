import MillraceIPC

/// What a backend was told to do, in order, for those that carry it out where they are flushed: by one thread at a time, which
/// does it for whoever comes meanwhile.
package final class OrderQueue: Sendable {
  private let state = Lock((orders: [Action](), isBusy: false))

  package init() {}

  package func accept(_ action: Action) { state.withLock { $0.orders.append(action) } }

  package func flush(_ perform: (Action) -> Void) {
    var isMine = state.withLock { state in
      defer { state.isBusy = true }
      return !state.isBusy
    }
    while isMine {
      let orders = state.withLock { state in
        defer { state.orders = [] }
        state.isBusy = !state.orders.isEmpty
        return state.orders
      }
      isMine = !orders.isEmpty
      for order in orders { perform(order) }
    }
  }
}
