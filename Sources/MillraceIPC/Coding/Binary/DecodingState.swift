/// Where a value is: its tag, and the offset of its payload.
struct Slot {
  var offset: Int
  var depth: Int32
  var tag: UInt8
  /// Whether it is an element of a block, which has no tag of its own in the bytes.
  var isElement = false

  /// Where the value itself begins.
  var start: Int { isElement ? offset : offset - 1 }
}

/// What one decoding works on: the bytes.
///
/// Containers are ranges of offsets into the bytes. Everything is checked against the end of the bytes at the moment of reading,
/// so even a container that was kept after the decoding had ended can only throw.
final class DecodingState {
  /// The content of a container: offsets of its first byte and after its last one.
  struct Content {
    var start: Int
    var end: Int
    var depth: Int32
  }

  /// The content of an unkeyed container, which may be a block.
  struct Elements {
    var content: Content
    /// How many elements there are said to be.
    var count: Int?
    /// The tag of a block's elements.
    var element: UInt8?
  }

  @exclusivity(unchecked) var reader = ByteReader.none
  @exclusivity(unchecked) var userInfo: [CodingUserInfoKey: Any] = [:]
  /// The first damage found in a call that cannot throw; thrown when the decoding ends.
  @exclusivity(unchecked) var damage: (any Error)?
  let maximumDepth: Int32
  @exclusivity(unchecked) private var stack = StackGuard()
  let shortcuts = ShortcutCache<DecodingShortcut> { $0.decodingShortcut() }
  @exclusivity(unchecked) var containers = KeyedContainers<KeyedReaderCore>()

  init(maximumDepth: Int) { self.maximumDepth = Int32(clamping: maximumDepth) }

  private func reset() {
    reader = .none
    if !userInfo.isEmpty { userInfo = [:] }
    damage = nil
    stack.reset()
    containers.reset()
  }

  // MARK: - Values

  /// The value that all of `bytes` are.
  func decode<T: Decodable>(_ type: T.Type, all bytes: UnsafeRawBufferPointer) throws -> T {
    reader = ByteReader(bytes)
    defer { reset() }
    do {
      guard try reader.skip(at: 0, limit: bytes.count) == bytes.count else {
        throw corrupted(0, "There are bytes after the value.")
      }
      let value = try decode(type, slot(at: 0, depth: 0))
      if let damage { throw damage }
      return value
    } catch let error as ByteReader.Malformed {
      throw corrupted(error.offset, "The bytes are damaged: \(error.reason).")
    }
  }

  func decode<T: Decodable>(_ type: T.Type, _ slot: Slot) throws -> T {
    if let shortcut = shortcuts.find(type), try shortcut._withUnsafeGuaranteedRef({ try $0.handles(slot, of: self) }) {
      return try making(type) { place in
        try shortcut._withUnsafeGuaranteedRef { try $0.decode(slot, from: self, into: place) }
      }
    }
    if slot.tag == Tag.object { return try decodeObject(type, slot) }
    return try T(from: ValueDecoder(state: self, slot: try deeper(slot)))
  }

  /// The value in an optional that may be missing or nil.
  ///
  /// An optional that holds a nil is neither.
  func decodePresent<T: Decodable>(_ type: T.Type, _ slot: Slot) throws -> T? {
    if slot.tag == Tag.null { return nil }
    return try decode(type, slot.tag == Tag.some ? inner(slot) : slot)
  }

  /// The value whose tag is at `offset`; what a super encoder wrote, where there is a wrapper.
  @inline(__always) func slot(at offset: Int, depth: Int32) throws -> Slot {
    let tag = try reader.load(UInt8.self, at: offset)
    if tag == Tag.wrapper { return try unwrap(offset + 1, depth) }
    return Slot(offset: offset + 1, depth: depth, tag: tag)
  }

  private func unwrap(_ offset: Int, _ depth: Int32) throws -> Slot {
    var at = offset
    while true {
      if try reader.containerEnd(at: at) == at + 8 { return Slot(offset: at, depth: depth, tag: Tag.empty) }
      let tag = try reader.load(UInt8.self, at: at + 8)
      at += 9
      if tag != Tag.wrapper { return Slot(offset: at, depth: depth, tag: tag) }
    }
  }

  /// The value behind the mark of an optional that holds a nil.
  func inner(_ slot: Slot) throws -> Slot { try self.slot(at: slot.offset, depth: slot.depth) }

  /// The value behind all such marks, and those of objects.
  func innermost(_ slot: Slot) throws -> Slot {
    var slot = slot
    while slot.tag == Tag.some || slot.tag == Tag.object {
      slot = try slot.tag == Tag.some ? inner(slot) : unmarked(slot).slot
    }
    return slot
  }

  func deeper(_ slot: Slot) throws -> Slot {
    guard slot.depth < maximumDepth, stack.hasRoom(at: slot.depth) else {
      throw corrupted(slot.start, "Values are nested too deep: more than \(slot.depth) levels.")
    }
    var deeper = slot
    deeper.depth += 1
    return deeper
  }

  // MARK: - Containers

  func keyed(_ slot: Slot) throws -> Content {
    switch slot.tag {
    case Tag.keyed:
      let start = slot.offset + 8
      return Content(start: start, end: try reader.containerEnd(at: slot.offset), depth: slot.depth)
    case Tag.empty: return Content(start: slot.offset, end: slot.offset, depth: slot.depth)
    case Tag.some, Tag.object: return try keyed(innermost(slot))
    default: throw mismatch([String: Any].self, slot)
    }
  }

  func unkeyed(_ slot: Slot) throws -> Elements {
    switch slot.tag {
    case Tag.unkeyed:
      let end = try reader.containerEnd(at: slot.offset)
      let count = try reader.load(UInt32.self, at: slot.offset + 8)
      let start = slot.offset + 12
      // Every element takes a byte at least, so a count above the number of bytes is no count.
      guard start <= end, count == Tag.unknownCount || Int(count) <= end - start else {
        throw corrupted(slot.start, "An unkeyed container has a wrong count.")
      }
      let content = Content(start: start, end: end, depth: slot.depth)
      return Elements(content: content, count: count == Tag.unknownCount ? nil : Int(count))
    case Tag.block:
      let block = try reader.block(at: slot.offset)
      let count = (block.end - block.start) / (Tag.scalarSize(block.element) ?? 1)
      let content = Content(start: block.start, end: block.end, depth: slot.depth)
      return Elements(content: content, count: count, element: block.element)
    case Tag.empty:
      return Elements(content: Content(start: slot.offset, end: slot.offset, depth: slot.depth), count: 0)
    case Tag.some, Tag.object: return try unkeyed(innermost(slot))
    default: throw mismatch([Any].self, slot)
    }
  }

  /// The value of a key, or nil.
  ///
  /// The search begins at `position`, where the last one ended, so in the order of encoding each key is found at once.
  ///
  /// - Parameter take: whether the next search should begin behind this entry.
  func find(
    _ name: String, _ number: Int?, in content: Content, from position: inout Int, take: Bool
  ) throws -> Slot? {
    try withUTF8Bytes(of: name) { name in
      let known = position
      var at = known
      var isSecondRound = false
      while true {
        if at >= content.end {
          if isSecondRound || known == content.start { return nil }
          isSecondRound = true
          at = content.start
        }
        if isSecondRound, at >= known { return nil }
        let key = try reader.key(at: at)
        let next = try reader.skip(at: key.next, limit: content.end)
        if isEqual(key.name, name) || number != nil && key.number == number && !isNumber(key.name) {
          position = take ? next : at
          return try slot(at: key.next, depth: content.depth)
        }
        at = next
      }
    }
  }

  /// Whether a key's name is its number, as that of keys which are made of any text. Others have the same: "7" and "007".
  private func isNumber(_ name: UnsafeRawBufferPointer) -> Bool {
    guard let first = name.first else { return false }
    return first &- UInt8(ascii: "0") < 10 || first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
  }

  // MARK: - Errors

  /// What `read` returns, or nil if it throws, which is not forgotten.
  func noting<R>(_ read: () throws -> R) -> R? {
    do { return try read() } catch {
      damage = damage ?? error
      return nil
    }
  }

  func path(_ slot: Slot) -> [any CodingKey] { reader.path(to: slot.start) }

  func corrupted(_ offset: Int, _ text: String) -> DecodingError {
    .dataCorrupted(DecodingError.Context(codingPath: reader.path(to: offset), debugDescription: text))
  }

  func mismatch(_ type: Any.Type, _ slot: Slot) -> DecodingError {
    let context = DecodingError.Context(
      codingPath: path(slot), debugDescription: "Expected to decode \(type) but found \(Tag.name(slot.tag)).")
    return slot.tag == Tag.null ? .valueNotFound(type, context) : .typeMismatch(type, context)
  }
}
