/// Arrays of scalars and other blocks, inside of encoded values.
final class BlockEncoding<Value>: EncodingShortcut<Value> {
  private let blocks: BlockCoding<Value>
  private let element: UInt8

  init(_ blocks: BlockCoding<Value>, of element: UInt8) {
    self.blocks = blocks
    self.element = element
  }

  override func encode(_ value: Value, to state: EncodingState) {
    state.writeBlock(of: element, byteCount: blocks.byteCount(of: value)) { blocks.write(value, to: $0) }
  }
}

final class BlockDecoding<Value>: DecodingShortcut<Value> {
  private let blocks: BlockCoding<Value>
  private let element: UInt8

  init(_ blocks: BlockCoding<Value>, of element: UInt8) {
    self.blocks = blocks
    self.element = element
  }

  /// Nil for what was written element by element, or as elements of another type.
  override func decode(_ slot: Slot, from state: DecodingState) throws -> Value? {
    guard slot.tag == Tag.block else { return nil }
    let block = try state.reader.block(at: slot.offset)
    guard block.element == element else { return nil }
    return blocks.read(UnsafeRawBufferPointer(start: state.reader.base + block.start, count: block.end - block.start))
  }
}

extension Array: ShortcutProviding {
  static func encodingShortcut() -> AnyObject? {
    (Element.self as? any BlockScalar.Type).map { BlockEncoding(ArrayBlocks<Element>(), of: $0.tag) }
  }

  static func decodingShortcut() -> AnyObject? {
    (Element.self as? any BlockScalar.Type).map { BlockDecoding(ArrayBlocks<Element>(), of: $0.tag) }
  }
}

extension ContiguousArray: ShortcutProviding {
  static func encodingShortcut() -> AnyObject? {
    (Element.self as? any BlockScalar.Type).map { BlockEncoding(ContiguousArrayBlocks<Element>(), of: $0.tag) }
  }

  static func decodingShortcut() -> AnyObject? {
    (Element.self as? any BlockScalar.Type).map { BlockDecoding(ContiguousArrayBlocks<Element>(), of: $0.tag) }
  }
}

extension ArraySlice: ShortcutProviding {
  static func encodingShortcut() -> AnyObject? {
    (Element.self as? any BlockScalar.Type).map { BlockEncoding(ArraySliceBlocks<Element>(), of: $0.tag) }
  }

  static func decodingShortcut() -> AnyObject? {
    (Element.self as? any BlockScalar.Type).map { BlockDecoding(ArraySliceBlocks<Element>(), of: $0.tag) }
  }
}

/// The shortcuts of a collection of bytes that this module only knows by name.
enum ByteCollectionShortcuts<Bytes: RangeReplaceableCollection<UInt8>>: ShortcutProviding {
  static func encodingShortcut() -> AnyObject? { BlockEncoding(ByteCollectionBlocks<Bytes>(), of: Tag.uint8) }
  static func decodingShortcut() -> AnyObject? { BlockDecoding(ByteCollectionBlocks<Bytes>(), of: Tag.uint8) }
}
