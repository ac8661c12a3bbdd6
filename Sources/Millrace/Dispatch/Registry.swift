/// A dictionary of objects: as long as they are few, an array, and what was put in last is found at once. Most pools serve one job of
/// one worker at a time, and ask for it several times a chunk.
struct Registry<Key: Hashable & Comparable, Value: AnyObject> {
  /// All of them, in the order in which they came; empty if there are many.
  private var few: [(key: Key, value: Value)] = []
  /// All of them, if there were more than a few and some are left.
  private var many: [Key: Value] = [:]
  private var recent: (key: Key, value: Value)?

  private static var most: Int { 8 }

  var isEmpty: Bool { few.isEmpty && many.isEmpty }
  /// In order: what follows from them must be the same in each run.
  var keys: [Key] { entries.map(\.key) }
  /// In any order.
  var values: Values { Values(few: few, many: many) }
  /// Each with its key, in order.
  var entries: [(key: Key, value: Value)] {
    let all = many.isEmpty ? few : many.map { ($0.key, $0.value) }
    return all.count < 2 ? all : all.sorted { $0.key < $1.key }
  }

  subscript(key: Key) -> Value? {
    @inline(__always)
    get {
      if let recent, recent.key == key { return recent.value }
      return find(key)
    }
    set {
      if let newValue {
        put(key, newValue)
        recent = (key, newValue)
      } else {
        if many.isEmpty { few.removeAll { $0.key == key } } else { many[key] = nil }
        if recent?.key == key { recent = few.first ?? many.first.map { ($0.key, $0.value) } }
      }
    }
  }

  @inline(never)
  private func find(_ key: Key) -> Value? { many.isEmpty ? few.first { $0.key == key }?.value : many[key] }

  private mutating func put(_ key: Key, _ value: Value) {
    if !many.isEmpty {
      many[key] = value
    } else if let place = few.firstIndex(where: { $0.key == key }) {
      few[place].value = value
    } else if few.count < Self.most {
      few.append((key, value))
    } else {
      for (key, value) in few { many[key] = value }
      many[key] = value
      few.removeAll()
    }
  }

  mutating func removeValue(forKey key: Key) -> Value? {
    defer { self[key] = nil }
    return self[key]
  }

  mutating func removeAll() { self = Registry() }

  struct Values: Sequence {
    fileprivate let few: [(key: Key, value: Value)]
    fileprivate let many: [Key: Value]

    func makeIterator() -> Iterator { Iterator(few: few.makeIterator(), many: many.values.makeIterator()) }

    struct Iterator: IteratorProtocol {
      fileprivate var few: IndexingIterator<[(key: Key, value: Value)]>
      fileprivate var many: Dictionary<Key, Value>.Values.Iterator

      mutating func next() -> Value? { few.next()?.value ?? many.next() }
    }
  }
}
