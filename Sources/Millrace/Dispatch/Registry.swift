/// A dictionary that finds what was put in last without hashing: most pools serve one job of one worker at a time, and ask
/// for it several times a chunk.
struct Registry<Key: Hashable & Comparable, Value: AnyObject> {
  private var all: [Key: Value] = [:]
  private var recent: (key: Key, value: Value)?

  var isEmpty: Bool { all.isEmpty }
  /// In order: what follows from them must be the same in each run.
  var keys: [Key] { all.keys.sorted() }
  /// In any order.
  var values: Dictionary<Key, Value>.Values { all.values }
  /// Each with its key, in order.
  var entries: [(key: Key, value: Value)] { all.sorted { $0.key < $1.key } }

  subscript(key: Key) -> Value? {
    get {
      if let recent, recent.key == key { return recent.value }
      return all[key]
    }
    set {
      all[key] = newValue
      if let newValue {
        recent = (key, newValue)
      } else if recent?.key == key {
        recent = all.first
      }
    }
  }

  mutating func removeAll() {
    all.removeAll()
    recent = nil
  }
}
