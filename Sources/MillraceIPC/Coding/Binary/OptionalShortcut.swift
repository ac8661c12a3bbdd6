/// Optionals of any depth, `.some(nil)` and `nil` kept apart.
///
/// Optional's own `encode(to:)` writes both as nil. Here each level that is there, and holds a nil, has a mark of its own.
final class OptionalEncoding<Wrapped: Encodable>: EncodingShortcut {
  override func encode(_ value: UnsafeRawPointer, to state: EncodingState) throws {
    guard let value = value.assumingMemoryBound(to: Wrapped?.self).pointee else { return state.write(tag: Tag.null) }
    try state.encodePresent(value)
  }

  override func encodesNil(_ value: UnsafeRawPointer) -> Bool {
    value.assumingMemoryBound(to: Wrapped?.self).pointee.isNilOrHoldsNil
  }
}

final class OptionalDecoding<Wrapped: Decodable>: DecodingShortcut {
  override func decode(_ slot: Slot, from state: DecodingState, into value: UnsafeMutableRawPointer) throws {
    value.initializeMemory(as: Wrapped?.self, to: try state.decodePresent(Wrapped.self, slot))
  }
}

private protocol NilTelling {
  var isNilOrHoldsNil: Bool { get }
}

extension Optional: NilTelling {
  fileprivate var isNilOrHoldsNil: Bool {
    guard let value = self else { return true }
    guard Wrapped.self is any NilTelling.Type, let inner = value as? any NilTelling else { return false }
    return inner.isNilOrHoldsNil
  }
}

extension Optional: ShortcutProviding {
  static func encodingShortcut() -> EncodingShortcut? {
    func make<W: Encodable>(_: W.Type) -> EncodingShortcut { OptionalEncoding<W>() }
    return (Wrapped.self as? any Encodable.Type).map { make($0) }
  }

  static func decodingShortcut() -> DecodingShortcut? {
    func make<W: Decodable>(_: W.Type) -> DecodingShortcut { OptionalDecoding<W>() }
    return (Wrapped.self as? any Decodable.Type).map { make($0) }
  }
}
