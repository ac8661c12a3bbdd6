/// A queue over one array: amortised constant time at both ends that the dispatcher uses.
package struct FIFO<Element> {
  private var storage: [Element?] = []
  private var head = 0

  package init() {}

  package var isEmpty: Bool { head == storage.count }
  package var count: Int { storage.count - head }
  package var first: Element? { isEmpty ? nil : storage[head] }

  package mutating func append(_ element: consuming Element) { storage.append(element) }

  /// The element that so many are before.
  package subscript(place: Int) -> Element { storage[head + place]! }

  package mutating func swapAt(_ one: Int, _ other: Int) { storage.swapAt(head + one, head + other) }

  @discardableResult
  package mutating func remove(at place: Int) -> Element {
    place == 0 ? popFirst()! : storage.remove(at: head + place)!
  }

  package mutating func prepend(_ element: Element) {
    if head > 0 {
      head -= 1
      storage[head] = element
    } else {
      storage.insert(element, at: 0)
    }
  }

  /// Puts it behind those at the front that `comesBefore` holds for.
  package mutating func insert(_ element: Element, behind comesBefore: (Element) -> Bool) {
    var place = head
    while place < storage.count, comesBefore(storage[place]!) { place += 1 }
    if place == head { prepend(element) } else { storage.insert(element, at: place) }
  }

  package mutating func popFirst() -> Element? {
    guard head < storage.count else { return nil }
    // Moved, not copied: an element may be large, and refer to much.
    let element = storage.withUnsafeMutableBufferPointer { storage in
      let place = storage.baseAddress! + head
      let element = place.move()
      place.initialize(to: nil)
      return element
    }
    head += 1
    if head == storage.count {
      storage.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 64, head * 2 >= storage.count {
      storage.removeFirst(head)
      head = 0
    }
    return element
  }

  package mutating func removeAll() {
    storage.removeAll()
    head = 0
  }

  /// Removes and returns the elements that `condition` holds for; the others keep their order.
  package mutating func extract(where condition: (Element) -> Bool) -> [Element] {
    var taken: [Element] = []
    var kept: [Element?] = []
    while let element = popFirst() {
      if condition(element) { taken.append(element) } else { kept.append(element) }
    }
    storage = kept
    head = 0
    return taken
  }

  package var elements: [Element] { storage[head...].compactMap { $0 } }

  package func first(where condition: (Element) -> Bool) -> Element? {
    for index in head..<storage.count {
      if let element = storage[index], condition(element) { return element }
    }
    return nil
  }

  /// Changes the first element that `condition` holds for.
  package mutating func change(where condition: (Element) -> Bool, _ body: (inout Element) -> Void) {
    for index in head..<storage.count where condition(storage[index]!) { return body(&storage[index]!) }
  }
}

extension FIFO: Sendable where Element: Sendable {}
