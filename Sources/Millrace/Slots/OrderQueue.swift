import MillraceIPC

/// What somebody was told to do, in order, for those that carry it out where they are flushed: by one thread at a time, which
/// does it for whoever comes meanwhile. Nothing is locked while it is done.
package final class OrderQueue<Order: Sendable>: Sendable {
  private let state: Lock<(orders: [Order], isBusy: Bool)>

  /// - Parameter isHeld: whether what comes waits for ``release(_:)``.
  package init(isHeld: Bool = false) { state = Lock((orders: [], isBusy: isHeld)) }

  package func accept(_ order: Order) { state.withLock { $0.orders.append(order) } }

  package func flush(_ perform: (Order) -> Void) { flush(rounds: .max, perform) {} }

  /// The same, by somebody who has other things to do: after so many rounds, in each of which he does what has come meanwhile, he still
  /// holds it and says `handOver`.
  package func flush(rounds: Int, _ perform: (Order) -> Void, handOver: () -> Void) {
    let isMine = state.withLock { state in
      defer { state.isBusy = true }
      return !state.isBusy
    }
    if isMine { release(rounds: rounds, perform, handOver: handOver) }
  }

  /// For whoever holds it: carries out what has come, and lets go.
  package func release(_ perform: (Order) -> Void) { release(rounds: .max, perform) {} }

  package func release(rounds: Int, _ perform: (Order) -> Void, handOver: () -> Void) {
    for _ in 0..<rounds {
      let orders = state.withLock { state in
        defer { state.orders = [] }
        state.isBusy = !state.orders.isEmpty
        return state.orders
      }
      if orders.isEmpty { return }
      for order in orders { perform(order) }
    }
    handOver()
  }
}
