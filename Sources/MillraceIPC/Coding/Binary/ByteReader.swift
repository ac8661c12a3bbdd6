/// Bounds-checked reading of encoded bytes.
///
/// Nothing in here traps, whatever the bytes are.
struct ByteReader {
  private(set) var base: UnsafeRawPointer
  private(set) var count: Int
  /// Whether the bytes are still being written, so that containers may be open.
  private let isPartial: Bool

  /// Where the bytes are not what the coding says.
  struct Malformed: Error {
    var offset: Int
    var reason: String
  }

  /// A key in a keyed container.
  struct Key {
    var name: UnsafeRawBufferPointer
    var number: Int?
    /// Offset of the value.
    var next: Int
  }

  static var none: ByteReader { ByteReader(UnsafeRawBufferPointer(start: nil, count: 0)) }

  init(_ bytes: UnsafeRawBufferPointer, isPartial: Bool = false) {
    self.isPartial = isPartial
    base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 16)!
    count = bytes.count
  }

  @inline(__always) func has(_ length: Int, at offset: Int) -> Bool {
    offset >= 0 && offset <= count && length >= 0 && length <= count - offset
  }

  @inline(__always) func load<T: BitwiseCopyable>(_ type: T.Type, at offset: Int) throws(Malformed) -> T {
    guard has(MemoryLayout<T>.size, at: offset) else {
      throw Malformed(offset: offset, reason: "the bytes end too early")
    }
    return base.loadUnaligned(fromByteOffset: offset, as: T.self)
  }

  @inline(__always) func bytes(_ length: Int, at offset: Int) throws(Malformed) -> UnsafeRawBufferPointer {
    guard has(length, at: offset) else { throw Malformed(offset: offset, reason: "the bytes end too early") }
    return UnsafeRawBufferPointer(start: base + offset, count: length)
  }

  /// A number in seven-bit groups, never above `Int.max`, and the offset after it.
  @inline(__always) func varint(at offset: Int) throws(Malformed) -> (value: Int, next: Int) {
    let first = try load(UInt8.self, at: offset)
    return first < 0x80 ? (Int(first), offset + 1) : try longVarint(at: offset)
  }

  private func longVarint(at offset: Int) throws(Malformed) -> (value: Int, next: Int) {
    var value: UInt = 0
    for group in 0..<9 {
      let byte = try load(UInt8.self, at: offset + group)
      value |= UInt(byte & 0x7F) << UInt(7 * group)
      if byte < 0x80 { return (Int(bitPattern: value), offset + group + 1) }
    }
    throw Malformed(offset: offset, reason: "a length is too large")
  }

  /// The end of a container's content that begins with its length field at `offset`.
  @inline(__always) func containerEnd(at offset: Int) throws(Malformed) -> Int {
    let length = try load(UInt64.self, at: offset)
    let start = offset + 8
    if isPartial, length == Tag.openLength { return count }
    guard length <= UInt64(count - start) else {
      throw Malformed(offset: offset, reason: "a container is longer than what is there")
    }
    return start + Int(length)
  }

  /// The content of a string whose tag is `tag` and whose payload begins at `offset`; nil if the tag is no string's.
  @inline(__always) func string(_ tag: UInt8, at offset: Int) throws(Malformed) -> UnsafeRawBufferPointer? {
    var start = offset
    var length = Int(tag & 0x3F)
    if tag == Tag.string {
      (length, start) = try varint(at: offset)
    } else if tag & 0xC0 != Tag.shortString {
      return nil
    }
    guard has(length, at: start) else {
      throw Malformed(offset: offset, reason: "a string is longer than what is there")
    }
    return UnsafeRawBufferPointer(start: base + start, count: length)
  }

  @inline(__always) func key(at offset: Int) throws(Malformed) -> Key {
    let (header, start) = try varint(at: offset)
    let length = header >> 1
    guard has(length, at: start) else { throw Malformed(offset: offset, reason: "a key is longer than what is there") }
    let name = UnsafeRawBufferPointer(start: base + start, count: length)
    let end = start + length
    if header & 1 == 0 { return Key(name: name, number: nil, next: end) }
    return Key(name: name, number: try load(Int.self, at: end), next: end + 8)
  }

  /// The offset after the key at `offset`, if it is `name` and there is more before `limit`.
  @inline(__always) func match(_ name: KeyNames.Name, at offset: Int, limit: Int) -> Int? {
    guard has(name.size, at: offset), offset + name.size < limit else { return nil }
    let place = base + offset
    let isSame: Bool
    if name.size >= 8, name.size <= 16 {
      // The first eight bytes and the last eight, which may overlap.
      let rest = name.size &- 8
      isSame =
        place.loadUnaligned(as: UInt64.self) == name.start.load(as: UInt64.self)
        && place.loadUnaligned(fromByteOffset: rest, as: UInt64.self)
          == name.start.loadUnaligned(fromByteOffset: rest, as: UInt64.self)
    } else if name.size < 8, count - offset >= 8 {
      // What is behind the name is shifted out.
      let other = place.loadUnaligned(as: UInt64.self).littleEndian ^ name.start.load(as: UInt64.self).littleEndian
      isSame = other << UInt64(truncatingIfNeeded: 64 &- name.size &* 8) == 0
    } else {
      isSame = isEqual(
        UnsafeRawBufferPointer(start: place, count: name.size),
        UnsafeRawBufferPointer(start: name.start, count: name.size))
    }
    return isSame ? offset + name.size : nil
  }

  /// Element tag, first byte and end of a block whose payload begins at `offset`.
  func block(at offset: Int) throws(Malformed) -> (element: UInt8, start: Int, end: Int) {
    let element = try load(UInt8.self, at: offset)
    guard let size = Tag.scalarSize(element) else {
      throw Malformed(offset: offset, reason: "a block of \(Tag.name(element))")
    }
    let (length, start) = try varint(at: offset + 1)
    guard has(length, at: start), length % size == 0 else {
      throw Malformed(offset: offset, reason: "a block has a wrong length")
    }
    return (element, start, start + length)
  }

  /// The name of an object's class whose length is at `offset`, and the offset after it.
  func objectName(at offset: Int) throws(Malformed) -> (name: UnsafeRawBufferPointer, next: Int) {
    let (length, start) = try varint(at: offset)
    return (try bytes(length, at: start), start + length)
  }

  /// The offset after the value whose tag is at `offset`, which may reach to `limit` at most.
  @inline(__always) func skip(at offset: Int, limit: Int) throws(Malformed) -> Int {
    let tag = try load(UInt8.self, at: offset)
    var end = offset + 1
    if tag <= Tag.double {
      end += Tag.payloadSize(tag)
    } else if tag & 0xC0 == Tag.shortString {
      end += Int(tag & 0x3F)
    } else if tag < Tag.smallInteger {
      return try skipLarge(at: offset, limit: limit)
    }
    guard end <= limit, end <= count else { throw tooLong(offset) }
    return end
  }

  /// `skip` for what has no size in its tag.
  private func skipLarge(at offset: Int, limit: Int) throws(Malformed) -> Int {
    var at = offset
    var tag = try load(UInt8.self, at: at)
    while tag == Tag.some || tag == Tag.object {
      at = try tag == Tag.some ? at + 1 : objectName(at: at + 1).next
      tag = try load(UInt8.self, at: at)
    }
    at += 1
    let end: Int
    switch tag {
    case Tag.keyed, Tag.unkeyed, Tag.wrapper: end = try containerEnd(at: at)
    case Tag.block: end = try block(at: at).end
    case Tag.string:
      let (length, start) = try varint(at: at)
      guard has(length, at: start) else { throw tooLong(offset) }
      end = start + length
    // A value that has its size in the tag, behind the mark of an optional.
    case Tag.null...Tag.double, Tag.shortString...: end = try skip(at: at - 1, limit: limit)
    default: throw Malformed(offset: offset, reason: "there is \(Tag.name(tag))")
    }
    guard end <= limit, end <= count else { throw tooLong(offset) }
    return end
  }

  private func tooLong(_ offset: Int) -> Malformed {
    Malformed(offset: offset, reason: "a value is longer than what is there")
  }
}
