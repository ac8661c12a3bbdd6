/// Where a type stands whose values are to travel.
struct PayloadContext {
  /// The types whose stored properties and cases are being gone through.
  var whole: [Any.Type] = []
  /// What comes in place of errors that do not travel.
  let standIn: any ErrorStandIn.Type

  /// Whether the type holds values of its own type; or of itself with other arguments, again and again, of which there is no end.
  func isWithin(_ type: Any.Type) -> Bool { whole.count >= Self.deepest || whole.contains { $0 == type } }

  private static let deepest = 64

  /// That of the properties and cases of `type`.
  func within(_ type: Any.Type) -> PayloadContext {
    var inner = self
    inner.whole.append(type)
    return inner
  }
}

/// Chooses how the values of a type travel between processes.
package enum Payload {
  /// The coding of `Value`: once per type, then kept.
  ///
  /// - Parameter standIn: what comes in place of errors that do not travel.
  /// - Throws: `PayloadError.notTransportable` for types whose values cannot travel, with the property or case that stands in the way.
  package static func coding<Value>(
    for type: Value.Type, standIn: any ErrorStandIn.Type = WireError.self
  ) throws -> PayloadCoding<Value> {
    if let problem = RuntimeCanary.problem {
      throw PayloadError.notTransportable(readableTypeName(type), problem)
    }
    do {
      return PayloadCoding(try form(of: type, in: PayloadContext(standIn: standIn)))
    } catch {
      throw PayloadError.notTransportable(readableTypeName(type), error.text(for: type))
    }
  }

  static func form(of type: Any.Type, in context: PayloadContext) throws(Obstacle) -> PayloadForm {
    if type == Never.self { return .coded(NeverPayload()) }
    if type == (any Error).self { return .coded(ErrorPayload(context.standIn)) }
    // Before anything else is asked of it.
    let kind = TypeKind(type)
    if let obstacle = kind.obstacle { throw Obstacle(type: type, reason: obstacle) }
    if isBitwise(type) { return .bitwise }
    if let blocks = blocks(for: type) { return .block(blocks) }
    if !goesByMembers(type, in: context), let codable = type as? any Codable.Type { return .coded(payload(codable)) }
    if let wrapping = type as? any WrappingValues.Type {
      var forms: [PayloadForm] = []
      for wrapped in wrapping.wrapped { forms.append(try form(of: wrapped, in: context)) }
      return .coded(wrapping.payload(forms))
    }
    if kind == .enumeration { return .coded(try enumeration(type, in: context)) }
    return .coded(MemberwisePayload(readableTypeName(type), try Members(of: type, in: context)))
  }

  /// Whether it is not `Codable` that knows how values of a type, or the values in them, travel.
  ///
  /// Values in values of their own type are left to `Codable`: how deep they may lie in each other is known there.
  static func goesByMembers(_ type: Any.Type, in context: PayloadContext) -> Bool {
    if let wrapping = type as? any WrappingValues.Type {
      return wrapping.wrapped.contains { goesByMembers($0, in: context) }
    }
    guard type is any Codable.Type else { return true }
    return type is any MemberwiseTransport.Type && !context.isWithin(type)
  }

  /// Whether the stored properties of a value in another one are as good as the other's own.
  static func isInlined(_ type: Any.Type, in context: PayloadContext) -> Bool {
    switch TypeKind(type) {
    case .structure, .tuple: break
    default: return false
    }
    return goesByMembers(type, in: context) && !(type is any WrappingValues.Type) && blocks(for: type) == nil
  }

  private static func blocks(for type: Any.Type) -> BlockCoding? {
    if type == String.self { return StringBlocks() }
    if type == Substring.self { return SubstringBlocks() }
    if type == Character.self { return CharacterBlocks() }
    if let array = type as? any ContiguousElements.Type { return arrayBlocks(array) }
    return ByteCollections.known(type).map { byteBlocks($0) }
  }

  private static func arrayBlocks<A: ContiguousElements>(_: A.Type) -> BlockCoding? {
    isBitwise(A.Element.self) ? ArrayBlocks<A>() : nil
  }

  private static func byteBlocks<C: RangeReplaceableCollection<UInt8>>(_: C.Type) -> BlockCoding {
    ByteCollectionBlocks<C>()
  }

  private static func payload<V: Codable>(_: V.Type) -> CodedPayload { CodablePayload<V>() }

  private static func enumeration(_ type: Any.Type, in context: PayloadContext) throws(Obstacle) -> CodedPayload {
    let cases = try EnumCoding(of: type, in: context)
    func payload<V>(_: V.Type) -> CodedPayload { EnumPayload<V>(cases) }
    return _openExistential(type, do: payload)
  }
}
