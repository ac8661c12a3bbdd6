/// Chooses how the values of a type travel between processes.
package enum Payload {
  /// The coding of `Value`: once per type, then kept.
  ///
  /// - Throws: `PayloadError.notTransportable` for types that are neither bitwise-copyable nor `Codable`, nor made of stored
  ///   properties that can travel.
  package static func coding<Value>(for type: Value.Type) throws -> PayloadCoding<Value> {
    do {
      return PayloadCoding(try form(of: type))
    } catch {
      throw PayloadError.notTransportable(readableTypeName(type), error.text)
    }
  }

  /// - Parameter whole: the types whose stored properties are being gone through.
  static func form(of type: Any.Type, in whole: [Any.Type] = []) throws(Obstacle) -> PayloadForm {
    if type == Never.self { return .coded(NeverPayload()) }
    if isBitwise(type) { return .bitwise }
    if let blocks = blocks(for: type) { return .block(blocks) }
    if !goesByMembers(type, in: whole), let codable = type as? any Codable.Type { return .coded(payload(codable)) }
    if let wrapping = type as? any WrappingValues.Type {
      return .coded(wrapping.payload(try form(of: wrapping.wrapped, in: whole)))
    }
    return .coded(MemberwisePayload(readableTypeName(type), try Members(of: type, in: whole)))
  }

  static func isBitwise(_ type: Any.Type) -> Bool {
    func isPOD<T>(_ type: T.Type) -> Bool { _isPOD(type) }
    return _openExistential(type, do: isPOD)
  }

  /// Whether it is not `Codable` that knows how values of a type, or the values in them, travel.
  ///
  /// Values in values of their own type are left to `Codable`: how deep they may lie in each other is known there.
  static func goesByMembers(_ type: Any.Type, in whole: [Any.Type]) -> Bool {
    if let wrapping = type as? any WrappingValues.Type { return goesByMembers(wrapping.wrapped, in: whole) }
    guard type is any Codable.Type else { return true }
    return type is any MemberwiseTransport.Type && !whole.contains { $0 == type }
  }

  /// Whether the stored properties of a value in another one are as good as the other's own.
  static func isInlined(_ type: Any.Type, in whole: [Any.Type]) -> Bool {
    goesByMembers(type, in: whole) && !(type is any WrappingValues.Type) && blocks(for: type) == nil
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
