extension Payload {
  /// Whether values of a type are their bytes, here and in another process of the same executable.
  ///
  /// To be bitwise-copyable is not enough. A type with a `Codable` conformance of its own is asked, for what it writes and reads may be
  /// other than its bytes: nothing at run time, no record, flag or symbol, tells a conformance that somebody wrote from one
  /// that the compiler made. ``MemberwiseTransport`` says that it need not be asked. And the address of a type or a function, which
  /// is all that there is to such values, means nothing in another process.
  static func isBitwise(_ type: Any.Type) -> Bool {
    func isPOD<T>(_ type: T.Type) -> Bool { _isPOD(type) }
    return _openExistential(type, do: isPOD) && isItsBytes(type)
  }

  /// Whether values of a type, which are bitwise-copyable, mean in another process what they mean here. What `Codable` would
  /// make of them is not asked: the bytes themselves are shared.
  package static func isMemory<T: BitwiseCopyable>(_ type: T.Type) -> Bool { isItsBytes(type, asksCodable: false) }

  private static func isItsBytes(_ type: Any.Type) -> Bool { isItsBytes(type, asksCodable: true) }

  private static func isItsBytes(_ type: Any.Type, asksCodable: Bool) -> Bool {
    func isItsBytes(_ type: Any.Type) -> Bool { self.isItsBytes(type, asksCodable: asksCodable) }
    if type is any BlockScalar.Type || type == Bool.self { return true }
    if let wrapping = type as? any WrappingValues.Type { return wrapping.wrapped.allSatisfy(isItsBytes) }
    switch TypeKind(type) {
    case .builtin: return true
    case .class, .existential, .metatype, .function, .unknown: return false
    case .optional, .enumeration:
      if asksCodable, hasCodingOfItsOwn(type) { return false }
      return EnumCases(of: type)?.all.allSatisfy { $0.payload.map(isItsBytes) ?? true } ?? true
    case .structure, .tuple:
      if asksCodable && hasCodingOfItsOwn(type) || type is any AddressHolding.Type { return false }
      // Types of C do not say what they are made of.
      return StoredProperty.all(of: type)?.allSatisfy { isItsBytes($0.type) } ?? true
    }
  }

  private static func hasCodingOfItsOwn(_ type: Any.Type) -> Bool {
    type is any Codable.Type && !(type is any MemberwiseTransport.Type) && !isOfTheSystem(type)
  }

  /// Whether it comes with Swift: then what `Codable` would write is known, or what its stored properties are is its own affair.
  static func isOfTheSystem(_ type: Any.Type) -> Bool {
    let name = String(reflecting: type)
    return ["Swift.", "Foundation.", "FoundationEssentials."].contains { name.hasPrefix($0) }
  }
}

/// Structures of the standard library that are the address of something and may be sent from task to task all the same.
private protocol AddressHolding {}

extension StaticString: AddressHolding {}
extension Unmanaged: AddressHolding {}
