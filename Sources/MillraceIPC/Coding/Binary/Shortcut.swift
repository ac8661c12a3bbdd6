/// Encodes values of one type without going through their `encode(to:)`: scalars, strings, optionals, blocks of scalars.
///
/// Generic code meets these types as `T: Encodable`. Their own implementations work too, but take ten times as long.
class EncodingShortcut<Value> {
  func encode(_ value: Value, to state: EncodingState) throws { fatalError("abstract") }

  /// Whether `value` is a nil, or an optional that holds one.
  func encodesNil(_ value: Value) -> Bool { false }
}

/// The other direction of `EncodingShortcut`.
class DecodingShortcut<Value> {
  /// The value, or nil if it was written in another way and must be decoded by `init(from:)`.
  func decode(_ slot: Slot, from state: DecodingState) throws -> Value? { fatalError("abstract") }

  /// Whether the values are optionals.
  var isOptional: Bool { false }
}

/// Types that have shortcuts say so by this protocol.
///
/// The objects returned are an `EncodingShortcut<Self>` and a `DecodingShortcut<Self>`.
protocol ShortcutProviding {
  static func encodingShortcut() -> AnyObject?
  static func decodingShortcut() -> AnyObject?
}

/// Finds the shortcut of a type in about two nanoseconds: a small direct-mapped table in front of a dictionary.
final class ShortcutCache {
  enum Direction { case encoding, decoding }

  private typealias Entry = (type: ObjectIdentifier?, shortcut: Unmanaged<AnyObject>?)

  private static let slots = 64
  private let direction: Direction
  private let entries = UnsafeMutablePointer<Entry>.allocate(capacity: slots)
  private var all: [ObjectIdentifier: AnyObject?] = [:]

  init(_ direction: Direction) {
    self.direction = direction
    entries.initialize(repeating: (nil, nil), count: Self.slots)
  }

  deinit { entries.deallocate() }

  @inline(__always) func encoding<T: Encodable>(_ type: T.Type) -> EncodingShortcut<T>? {
    // The object was made by `T.encodingShortcut()`, which promises the type; it lives as long as the cache.
    find(type).map { unsafeDowncast($0, to: EncodingShortcut<T>.self) }
  }

  @inline(__always) func decoding<T: Decodable>(_ type: T.Type) -> DecodingShortcut<T>? {
    find(type).map { unsafeDowncast($0, to: DecodingShortcut<T>.self) }
  }

  @inline(__always) private func find<T>(_ type: T.Type) -> AnyObject? {
    let id = ObjectIdentifier(type)
    let entry = entries[Self.place(id)]
    if entry.type == id { return entry.shortcut?._withUnsafeGuaranteedRef { $0 } }
    return look(up: type)
  }

  /// Metadata is aligned to 16 bytes at most, so the low bits say nothing.
  @inline(__always) private static func place(_ id: ObjectIdentifier) -> Int {
    let bits = UInt(bitPattern: id)
    return Int(bitPattern: (bits >> 4 ^ bits >> 10) & UInt(slots - 1))
  }

  private func look<T>(up type: T.Type) -> AnyObject? {
    let id = ObjectIdentifier(type)
    let shortcut: AnyObject?
    if let known = all[id] {
      shortcut = known
    } else {
      shortcut = make(type)
      all[id] = .some(shortcut)
    }
    entries[Self.place(id)] = (id, shortcut.map { Unmanaged.passUnretained($0) })
    return shortcut
  }

  private func make<T>(_ type: T.Type) -> AnyObject? {
    let providing = (type as? any ShortcutProviding.Type) ?? byteCollection(type)
    return switch direction {
    case .encoding: providing?.encodingShortcut()
    case .decoding: providing?.decodingShortcut()
    }
  }

  private func byteCollection<T>(_ type: T.Type) -> (any ShortcutProviding.Type)? {
    guard let collection = ByteCollections.known(type) else { return nil }
    func shortcuts<C: RangeReplaceableCollection<UInt8>>(_: C.Type) -> any ShortcutProviding.Type {
      ByteCollectionShortcuts<C>.self
    }
    return shortcuts(collection)
  }
}
