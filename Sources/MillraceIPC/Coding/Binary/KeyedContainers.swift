/// What a keyed container works on.
///
/// Containers have its address only, so that to copy one costs nothing: the standard library does that for each value that it
/// reads.
protocol KeyedCore {
  /// Ends the use of the coding's state, for a container that is kept longer: whatever is done with it is an error from now on.
  mutating func end()
  /// Frees what `end` has put in the state's place.
  mutating func free()
}

/// Keyed containers that serve one value after another, and what is known of the types of their keys.
///
/// The standard library puts each keyed container in an object, whose type depends on that of the keys. To find that type, and to
/// make the object, takes longer than all that is written to it. So there is one for each type of keys and each depth at which it
/// was seen, as long as the table has room. It is lent to who asks for it, and is free again when nobody else refers to it.
struct KeyedContainers<Core: KeyedCore>: ~Copyable {
  /// A container.
  struct Entry {
    /// The standard library's object, which is all that there is in its container; the first field, for `container(_:)`.
    fileprivate var object: AnyObject?
    /// A `KeyedLender` of such containers.
    fileprivate var lender: AnyObject?
    fileprivate var keys: ObjectIdentifier?
    fileprivate var depth: Int32 = 0
    fileprivate var isLent = false
    fileprivate(set) var core: UnsafeMutablePointer<Core>?
  }

  private static var size: Int { 64 }

  private let entries: UnsafeMutablePointer<Entry>
  /// The places of the entries that have been lent for the current value.
  private let lent: UnsafeMutablePointer<UInt8>
  private var lentCount = 0
  /// Containers for which there was no room in the table, of the current value.
  private var others: [Entry] = []
  private var names: [ObjectIdentifier: UnsafeMutablePointer<KeyNames>?] = [:]

  init() {
    entries = .allocate(capacity: Self.size)
    entries.initialize(repeating: Entry(), count: Self.size)
    lent = .allocate(capacity: Self.size)
  }

  deinit {
    for place in 0..<Self.size { Self.discard(&entries[place]) }
    for var entry in others { Self.discard(&entry) }
    entries.deinitialize(count: Self.size)
    entries.deallocate()
    lent.deallocate()
    for case let names? in names.values {
      names.pointee.free()
      names.deallocate()
    }
  }

  @inline(__always) private static func place(_ keys: ObjectIdentifier, _ depth: Int32) -> Int {
    let bits = UInt(bitPattern: keys)
    return Int(bitPattern: (bits >> 4 ^ bits >> 10 ^ UInt(truncatingIfNeeded: depth) &* 5) & UInt(size - 1))
  }

  /// Where the container for keys of this type at this depth is; nil if there is none that is free.
  @inline(__always) mutating func find(_ keys: Any.Type, _ depth: Int32) -> UnsafeMutablePointer<Entry>? {
    let keys = ObjectIdentifier(keys)
    let place = Self.place(keys, depth)
    let entry = entries + place
    guard entry.pointee.keys == keys, entry.pointee.depth == depth, isKnownUniquelyReferenced(&entry.pointee.object)
    else { return nil }
    lend(place)
    return entry
  }

  @inline(__always) private mutating func lend(_ place: Int) {
    if entries[place].isLent { return }
    entries[place].isLent = true
    lent[lentCount] = UInt8(truncatingIfNeeded: place)
    lentCount += 1
  }

  /// Takes over a container that goes out now, and its core.
  mutating func keep<Container>(
    _ container: Container, _ core: UnsafeMutablePointer<Core>, _ keys: Any.Type, _ depth: Int32
  ) {
    precondition(MemoryLayout<Container>.size == MemoryLayout<AnyObject>.size, "a container of an unknown kind")
    let new = Entry(
      object: unsafeBitCast(container, to: AnyObject.self), lender: KeyedLender<Container>(),
      keys: ObjectIdentifier(keys), depth: depth, core: core)
    let place = Self.place(ObjectIdentifier(keys), depth)
    guard entries[place].object == nil || isKnownUniquelyReferenced(&entries[place].object) else {
      others.append(new)
      return
    }
    let isLent = entries[place].isLent
    Self.discard(&entries[place])
    entries[place] = new
    entries[place].isLent = isLent
    lend(place)
  }

  /// The value is over: containers that somebody has kept are of no use from now on.
  @inline(__always) mutating func reset() {
    for index in 0..<lentCount {
      let entry = entries + Int(lent[index])
      entry.pointee.isLent = false
      if !isKnownUniquelyReferenced(&entry.pointee.object) { Self.discard(&entry.pointee) }
    }
    lentCount = 0
    if !others.isEmpty { discardOthers() }
  }

  @inline(never) private mutating func discardOthers() {
    for place in others.indices { Self.discard(&others[place]) }
    others = []
  }

  /// Frees a container, at once or when whoever has kept it lets go of it.
  @inline(never) private static func discard(_ entry: inout Entry) {
    guard let core = entry.core else { return }
    let isFree = isKnownUniquelyReferenced(&entry.object)
    if !isFree { core.pointee.end() }
    let kept = KeptContainer(object: entry.object) { [isFree] in
      if !isFree { core.pointee.free() }
      core.deinitialize(count: 1)
      core.deallocate()
    }
    entry = Entry()
    if isFree { kept.free() } else { KeptContainers.add(kept) }
  }

  /// The names of keys of this type; nil for keys that have to be asked each time.
  mutating func names<Key: CodingKey>(of type: Key.Type) -> UnsafeMutablePointer<KeyNames>? {
    if let known = names[ObjectIdentifier(type)] { return known }
    var made: UnsafeMutablePointer<KeyNames>?
    if let table = KeyNames(type) {
      made = .allocate(capacity: 1)
      made?.initialize(to: table)
    }
    names[ObjectIdentifier(type)] = .some(made)
    return made
  }

  /// The container in `entry`, which is of this type.
  @inline(__always) func container<Container>(
    _ type: Container.Type, in entry: UnsafeMutablePointer<Entry>
  ) -> Container {
    guard let lender = entry.pointee.lender else { preconditionFailure("an entry without a container") }
    return unsafeDowncast(lender, to: KeyedLender<Container>.self).container(in: UnsafeRawPointer(entry))
  }
}

/// Copies containers of one type.
///
/// In generic code a copy of a container needs the metadata of its type, which takes long to find. Here it is in the object.
private final class KeyedLender<Container> {
  @inline(never) func container(in object: UnsafeRawPointer) -> Container {
    object.assumingMemoryBound(to: Container.self).pointee
  }
}
