/// Chooses how the values of a type travel between processes.
package enum Payload {
  /// The coding of `Value`: once per type, then kept.
  ///
  /// - Throws: `PayloadError.notTransportable` for types that are neither bitwise-copyable nor `Codable`.
  package static func coding<Value>(for type: Value.Type) throws -> PayloadCoding<Value> {
    if Value.self == Never.self { return PayloadCoding(.coded(NeverPayload<Value>())) }
    if _isPOD(type) { return PayloadCoding(.bitwise) }
    // These casts cannot fail: the coding was made for `Value` itself, opened from its metatype.
    if let blocks = blocks(for: type) { return PayloadCoding(.block(blocks as! BlockCoding<Value>)) }
    if let codable = type as? any Codable.Type {
      return PayloadCoding(.coded(codedPayload(codable) as! CodedPayload<Value>))
    }
    throw PayloadError.notTransportable(readableTypeName(type))
  }

  private static func blocks(for type: Any.Type) -> AnyObject? {
    if type == String.self { return StringBlocks() }
    if let array = type as? any ArrayOfBlocks.Type { return array.blockCoding() }
    return ByteCollections.known(type).map { byteBlocks($0) }
  }

  private static func byteBlocks<C: RangeReplaceableCollection<UInt8>>(_: C.Type) -> AnyObject {
    ByteCollectionBlocks<C>()
  }

  private static func codedPayload<V: Codable>(_: V.Type) -> AnyObject { CodablePayload<V>() }
}

/// The three arrays of the standard library, which travel as blocks if their elements are bitwise-copyable.
private protocol ArrayOfBlocks {
  static func blockCoding() -> AnyObject?
}

extension Array: ArrayOfBlocks {
  fileprivate static func blockCoding() -> AnyObject? { _isPOD(Element.self) ? ArrayBlocks<Element>() : nil }
}

extension ContiguousArray: ArrayOfBlocks {
  fileprivate static func blockCoding() -> AnyObject? { _isPOD(Element.self) ? ContiguousArrayBlocks<Element>() : nil }
}

extension ArraySlice: ArrayOfBlocks {
  fileprivate static func blockCoding() -> AnyObject? { _isPOD(Element.self) ? ArraySliceBlocks<Element>() : nil }
}
