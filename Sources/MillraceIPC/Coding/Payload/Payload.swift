/// Chooses how the values of a type travel between processes.
package enum Payload {
  /// The coding of `Value`: once per type, then kept.
  ///
  /// - Throws: `PayloadError.notTransportable` for types that are neither bitwise-copyable nor `Codable`.
  package static func coding<Value>(for type: Value.Type) throws -> PayloadCoding<Value> {
    if Value.self == Never.self { return PayloadCoding(.coded(NeverPayload())) }
    if _isPOD(type) { return PayloadCoding(.bitwise) }
    if let blocks = blocks(for: type) { return PayloadCoding(.block(blocks)) }
    if let codable = type as? any Codable.Type { return PayloadCoding(.coded(payload(codable))) }
    throw PayloadError.notTransportable(readableTypeName(type))
  }

  private static func blocks(for type: Any.Type) -> BlockCoding? {
    if type == String.self { return StringBlocks() }
    if let array = type as? any ContiguousElements.Type { return arrayBlocks(array) }
    return ByteCollections.known(type).map { byteBlocks($0) }
  }

  private static func arrayBlocks<A: ContiguousElements>(_: A.Type) -> BlockCoding? {
    _isPOD(A.Element.self) ? ArrayBlocks<A>() : nil
  }

  private static func byteBlocks<C: RangeReplaceableCollection<UInt8>>(_: C.Type) -> BlockCoding {
    ByteCollectionBlocks<C>()
  }

  private static func payload<V: Codable>(_: V.Type) -> CodedPayload { CodablePayload<V>() }
}
