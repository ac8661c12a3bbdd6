/// Optionals of any depth, `.some(nil)` and `nil` kept apart.
///
/// Optional's own `encode(to:)` writes both as nil. Here each level that is there, and holds a nil, has a mark of its own.
final class OptionalEncoding<Wrapped: Encodable>: EncodingShortcut<Wrapped?> {
  override func encode(_ value: Wrapped?, to state: EncodingState) throws {
    guard let value else { return state.write(tag: Tag.null) }
    try state.encodePresent(value)
  }

  override func encodesNil(_ value: Wrapped?) -> Bool { value.isNilOrHoldsNil }
}

final class OptionalDecoding<Wrapped: Decodable>: DecodingShortcut<Wrapped?> {
  override var isOptional: Bool { true }

  override func decode(_ slot: Slot, from state: DecodingState) throws -> Wrapped?? {
    switch slot.tag {
    case Tag.null: .some(nil)
    case Tag.some: .some(.some(try state.decode(Wrapped.self, state.inner(slot))))
    default: .some(.some(try state.decode(Wrapped.self, slot)))
    }
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
  static func encodingShortcut() -> AnyObject? {
    func make<W: Encodable>(_: W.Type) -> AnyObject { OptionalEncoding<W>() }
    return (Wrapped.self as? any Encodable.Type).map { make($0) }
  }

  static func decodingShortcut() -> AnyObject? {
    func make<W: Decodable>(_: W.Type) -> AnyObject { OptionalDecoding<W>() }
    return (Wrapped.self as? any Decodable.Type).map { make($0) }
  }
}
