import MillraceIPC

/// What a stage has put for one item: none, one, several. It travels as the item's one output.
package struct Puts<Item: Sendable>: Sendable {
  private var first: Item?
  private var others: [Item] = []
  /// The stage wants no more input.
  var stops = false

  package init() {}

  package mutating func append(_ item: Item) {
    if first == nil, others.isEmpty { first = .some(item) } else { others.append(item) }
  }

  mutating func append(_ puts: consuming Puts) {
    puts.forEach { append($0) }
    if puts.stops { stops = true }
  }

  package var count: Int { (first == nil ? 0 : 1) + others.count }

  func forEach(_ body: (Item) -> Void) {
    if let first { body(first) }
    for item in others { body(item) }
  }
}

/// Collects what is put, from wherever it is.
final class PutsBox<Item: Sendable>: Sendable {
  private let puts = Lock(Puts<Item>())

  func put(_ item: Item) { puts.withLock { $0.append(item) } }
  func stop() { puts.withLock { $0.stops = true } }

  func take() -> Puts<Item> {
    puts.withLock { puts in
      defer { puts = Puts() }
      return puts
    }
  }

  var outlet: Outlet<Item> { Outlet({ self.put($0) }, stop: stop) }
}
