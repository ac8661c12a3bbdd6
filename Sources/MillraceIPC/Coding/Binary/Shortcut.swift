/// Encodes values of one type without going through their `encode(to:)`: scalars, strings, optionals, blocks of scalars.
///
/// Generic code meets these types as `T: Encodable`. Their own implementations work too, but take many times as long. Values are
/// given by address, for the reason that `BlockCoding` tells.
class EncodingShortcut {
  func encode(_ value: UnsafeRawPointer, to state: EncodingState) throws { fatalError("abstract") }

  /// Whether the value is a nil, or an optional that holds one.
  func encodesNil(_ value: UnsafeRawPointer) -> Bool { false }
}

/// The other direction of `EncodingShortcut`.
class DecodingShortcut {
  /// Whether the value was written in this way; otherwise it must be decoded by `init(from:)`.
  func handles(_ slot: Slot, of state: DecodingState) throws -> Bool { true }

  /// Makes the value in uninitialised memory.
  func decode(_ slot: Slot, from state: DecodingState, into value: UnsafeMutableRawPointer) throws {
    fatalError("abstract")
  }
}

/// Types that have shortcuts, which are for `Self` and nothing else.
protocol ShortcutProviding {
  static func encodingShortcut() -> EncodingShortcut?
  static func decodingShortcut() -> DecodingShortcut?
}

/// Finds the shortcut of a type in about two nanoseconds: a small direct-mapped table in front of a dictionary.
final class ShortcutCache<Shortcut: AnyObject> {
  private typealias Entry = (type: ObjectIdentifier?, shortcut: Unmanaged<Shortcut>?)

  private let make: (any ShortcutProviding.Type) -> Shortcut?
  private let entries = UnsafeMutablePointer<Entry>.allocate(capacity: 64)
  private var all: [ObjectIdentifier: Shortcut?] = [:]

  init(_ make: @escaping (any ShortcutProviding.Type) -> Shortcut?) {
    self.make = make
    entries.initialize(repeating: (nil, nil), count: 64)
  }

  deinit { entries.deallocate() }

  @inline(__always) func find(_ type: Any.Type) -> Unmanaged<Shortcut>? {
    let id = ObjectIdentifier(type)
    // Metadata is aligned to eight or sixteen bytes, so the low bits say nothing.
    let bits = UInt(bitPattern: id)
    let place = Int(bitPattern: (bits >> 4 ^ bits >> 10) & 63)
    let entry = entries[place]
    if entry.type == id { return entry.shortcut }
    return look(up: type, place)
  }

  private func look(up type: Any.Type, _ place: Int) -> Unmanaged<Shortcut>? {
    let id = ObjectIdentifier(type)
    let shortcut: Shortcut?
    if let known = all[id] {
      shortcut = known
    } else {
      shortcut = ((type as? any ShortcutProviding.Type) ?? byteCollection(type) ?? object(type)).flatMap { make($0) }
      all[id] = .some(shortcut)
    }
    let found = shortcut.map { Unmanaged.passUnretained($0) }
    entries[place] = (id, found)
    return found
  }

  private func byteCollection(_ type: Any.Type) -> (any ShortcutProviding.Type)? {
    guard let collection = ByteCollections.known(type) else { return nil }
    func shortcuts<C: RangeReplaceableCollection<UInt8>>(_: C.Type) -> any ShortcutProviding.Type {
      ByteCollectionShortcuts<C>.self
    }
    return shortcuts(collection)
  }

  private func object(_ type: Any.Type) -> (any ShortcutProviding.Type)? {
    guard TypeKind(type) == .class, let object = type as? any Encodable.Type else { return nil }
    func shortcuts<O: Encodable>(_: O.Type) -> any ShortcutProviding.Type { ObjectShortcuts<O>.self }
    return shortcuts(object)
  }
}
