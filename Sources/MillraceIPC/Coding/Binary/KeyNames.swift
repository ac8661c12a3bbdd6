/// The keys of one type as they stand in the bytes, each made when it is first used.
///
/// The keys that the compiler makes are enums that take one byte, or none if there is only one. What such a byte is called does not
/// change, so it is asked once: to ask a key for its name and number and to write them takes longer than writing the value.
struct KeyNames {
  /// A key in the bytes: it is padded to `room`, so that it can be copied without looking at its size.
  struct Name {
    let start: UnsafeRawPointer
    let size: Int
  }

  /// The bytes that a name has in the table, the last of which is its size.
  static let room = 64
  /// The size of a name that is too long for the table.
  private static let long: UInt8 = .max

  private let hasByte: Bool
  private var names: UnsafeMutableRawPointer?
  private var count = 0

  /// Nil for keys that have more to them than a byte: those of dictionaries, for instance.
  init?<Key: CodingKey>(_ type: Key.Type) {
    guard _isPOD(type), MemoryLayout<Key>.size <= 1 else { return nil }
    hasByte = MemoryLayout<Key>.size == 1
  }

  func free() { names?.deallocate() }

  /// The name of `key`, which is of the type that the table was made for; nil if it is too long for the table.
  @inline(__always) mutating func find<Key: CodingKey>(_ key: Key) -> Name? {
    let byte = hasByte ? Int(unsafeBitCast(key, to: UInt8.self)) : 0
    guard byte < count, let names else { return add(key, byte) }
    let start = names + byte * Self.room
    let size = start.load(fromByteOffset: Self.room - 1, as: UInt8.self)
    if size > 0, size != Self.long { return Name(start: start, size: Int(size)) }
    return size == Self.long ? nil : add(key, byte)
  }

  @inline(never) private mutating func add<Key: CodingKey>(_ key: Key, _ byte: Int) -> Name? {
    if byte >= count { grow(to: byte + 1) }
    guard let names else { return nil }
    var writer = ByteWriter()
    writer.append(key: key.stringValue, key.intValue)
    let start = names + byte * Self.room
    let fits = writer.count < Self.room
    start.storeBytes(of: fits ? UInt8(writer.count) : Self.long, toByteOffset: Self.room - 1, as: UInt8.self)
    guard fits else { return nil }
    start.copyMemory(from: writer.base, byteCount: writer.count)
    return Name(start: start, size: writer.count)
  }

  private mutating func grow(to needed: Int) {
    let larger = UnsafeMutableRawPointer.allocate(byteCount: needed * 2 * Self.room, alignment: 16)
    larger.initializeMemory(as: UInt8.self, repeating: 0, count: needed * 2 * Self.room)
    if let names {
      larger.copyMemory(from: names, byteCount: count * Self.room)
      names.deallocate()
    }
    names = larger
    count = needed * 2
  }
}

extension ByteWriter {
  /// Appends a key.
  mutating func append(key name: String, _ number: Int?) {
    withUTF8Bytes(of: name) { bytes in
      append(varint: bytes.count << 1 | (number == nil ? 0 : 1))
      append(contentsOf: bytes)
    }
    if let number { append(number) }
  }

  @inline(__always) mutating func append(_ key: KeyNames.Name) {
    reserve(KeyNames.room)
    (base + count).copyMemory(from: key.start, byteCount: 16)
    if key.size > 16 { (base + count + 16).copyMemory(from: key.start + 16, byteCount: KeyNames.room - 16) }
    count += key.size
  }
}
