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

/// Collects what is put, from wherever it is, while whoever puts it is asked for it.
final class PutsBox<Item: Sendable>: Sendable {
  private struct State {
    var puts = Puts<Item>()
    var isOpen = true
  }
  private let state = Lock(State())

  /// Throws where nobody would take it any more, or with what belongs to something else.
  func put(_ item: Item) throws {
    let isIn = state.withLock { state in
      if state.isOpen { state.puts.append(item) }
      return state.isOpen
    }
    if !isIn { throw CancellationError() }
  }
  func stop() { state.withLock { $0.puts.stops = true } }

  func open() { state.withLock { $0.isOpen = true } }

  /// - Parameter closing: what is put later is refused, until it is opened again.
  func take(closing: Bool = false) -> Puts<Item> {
    state.withLock { state in
      if closing { state.isOpen = false }
      defer { state.puts = Puts() }
      return state.puts
    }
  }

  var outlet: Outlet<Item> { Outlet({ try self.put($0) }, stop: stop) }
}
