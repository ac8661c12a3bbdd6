import MillraceIPC

/// What somebody was told to do, in order, for those that carry it out where they are flushed: by one thread at a time, which
/// does it for whoever comes meanwhile. Nothing is locked while it is done.
package final class OrderQueue<Order: Sendable>: Sendable {
  private let state: Lock<(orders: [Order], isBusy: Bool)>

  /// - Parameter isHeld: whether what comes waits for ``release(_:)``.
  package init(isHeld: Bool = false) { state = Lock((orders: [], isBusy: isHeld)) }

  package func accept(_ order: Order) { state.withLock { $0.orders.append(order) } }

  package func flush(_ perform: (Order) -> Void) {
    let isMine = state.withLock { state in
      defer { state.isBusy = true }
      return !state.isBusy
    }
    if isMine { release(perform) }
  }

  /// For whoever holds it: carries out what has come, and lets go.
  package func release(_ perform: (Order) -> Void) {
    while true {
      let orders = state.withLock { state in
        defer { state.orders = [] }
        state.isBusy = !state.orders.isEmpty
        return state.orders
      }
      if orders.isEmpty { return }
      for order in orders { perform(order) }
    }
  }
}
