/// What will happen in a ``Simulation``, the next first; of what happens at one time, what was put down first.
struct Agenda<Event> {
  private struct Entry {
    let time: UInt64
    let order: Int
    let event: Event

    func comes(before other: Entry) -> Bool { (time, order) < (other.time, other.order) }
  }

  private var heap: [Entry] = []
  private var count = 0

  var isEmpty: Bool { heap.isEmpty }

  mutating func add(_ event: Event, at time: UInt64) {
    count += 1
    heap.append(Entry(time: time, order: count, event: event))
    var child = heap.count - 1
    while child > 0, heap[child].comes(before: heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// Puts off by so much what is of that kind.
  mutating func delay(by delay: UInt64, where isDelayed: (Event) -> Bool) {
    heap = heap.map { entry in
      isDelayed(entry.event) ? Entry(time: entry.time + delay, order: entry.order, event: entry.event) : entry
    }
    heap.sort { $0.comes(before: $1) }
  }

  mutating func popFirst() -> (time: UInt64, event: Event)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      var parent = 0
      while true {
        var least = parent
        for child in 2 * parent + 1...2 * parent + 2 where child < heap.count && heap[child].comes(before: heap[least])
        {
          least = child
        }
        if least == parent { break }
        heap.swapAt(parent, least)
        parent = least
      }
    }
    return (first.time, first.event)
  }
}
