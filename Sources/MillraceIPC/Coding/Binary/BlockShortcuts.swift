/// Arrays of scalars and other blocks, inside of encoded values.
final class BlockEncoding: EncodingShortcut {
  private let blocks: BlockCoding
  private let element: UInt8

  init(_ blocks: BlockCoding, of element: UInt8) {
    self.blocks = blocks
    self.element = element
  }

  override func encode(_ value: UnsafeRawPointer, to state: EncodingState) throws {
    try state.writeBlock(of: element, byteCount: blocks.byteCount(of: value)) { blocks.write(value, to: $0) }
  }
}

final class BlockDecoding: DecodingShortcut {
  private let blocks: BlockCoding
  private let element: UInt8

  init(_ blocks: BlockCoding, of element: UInt8) {
    self.blocks = blocks
    self.element = element
  }

  /// False for what was written element by element, or as elements of another type.
  override func handles(_ slot: Slot, of state: DecodingState) throws -> Bool {
    try slot.tag == Tag.block && state.reader.load(UInt8.self, at: slot.offset) == element
  }

  override func decode(_ slot: Slot, from state: DecodingState, into value: UnsafeMutableRawPointer) throws {
    let block = try state.reader.block(at: slot.offset)
    let bytes = UnsafeRawBufferPointer(start: state.reader.base + block.start, count: block.end - block.start)
    if !blocks.read(bytes, into: value) { throw state.corrupted(slot.start, "A block has a wrong length.") }
  }
}

extension ShortcutProviding where Self: ContiguousElements {
  static func encodingShortcut() -> EncodingShortcut? {
    (Element.self as? any BlockScalar.Type).map { BlockEncoding(ArrayBlocks<Self>(), of: $0.tag) }
  }

  static func decodingShortcut() -> DecodingShortcut? {
    (Element.self as? any BlockScalar.Type).map { BlockDecoding(ArrayBlocks<Self>(), of: $0.tag) }
  }
}

extension Array: ShortcutProviding {}
extension ContiguousArray: ShortcutProviding {}

/// The shortcuts of a collection of bytes that this module only knows by name.
enum ByteCollectionShortcuts<Bytes: RangeReplaceableCollection<UInt8>>: ShortcutProviding {
  static func encodingShortcut() -> EncodingShortcut? { BlockEncoding(ByteCollectionBlocks<Bytes>(), of: Tag.uint8) }
  static func decodingShortcut() -> DecodingShortcut? { BlockDecoding(ByteCollectionBlocks<Bytes>(), of: Tag.uint8) }
}
