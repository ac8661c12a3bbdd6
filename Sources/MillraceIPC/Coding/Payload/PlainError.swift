/// Errors that are not `Codable` but so simple that any bytes can be checked: enums without payloads, and types without properties.
///
/// Most errors are such enums, and users want to `catch MyError.notFound` whether the work ran on a thread or in a process.
enum PlainError {
  /// The bytes of `error` if its type is that simple.
  static func bytes(of error: any Error) -> [UInt8]? {
    func copy<E: Error>(_ error: E) -> [UInt8]? {
      caseCount(of: E.self) == nil ? nil : withUnsafeBytes(of: error) { [UInt8]($0) }
    }
    return copy(error)
  }

  /// The error of the given type with these bytes; nil if there is none.
  static func error<E: Error>(_ type: E.Type, bytes: [UInt8]) -> (any Error)? {
    guard bytes.count == MemoryLayout<E>.size, let cases = caseCount(of: type) else { return nil }
    let number = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard number < cases else { return nil }
    return bytes.withUnsafeBytes { bytes in
      withUnsafeTemporaryAllocation(of: E.self, capacity: 1) { place in
        UnsafeMutableRawBufferPointer(place).copyMemory(from: bytes)
        return place.baseAddress!.move()
      }
    }
  }

  /// How many values a type without payloads and properties has; nil for all other types.
  private static func caseCount<E>(of type: E.Type) -> UInt64? {
    guard _isPOD(type), MemoryLayout<E>.size <= 4 else { return nil }
    switch TypeKind(type) {
    case .structure where MemoryLayout<E>.size == 0: return 1
    case .enumeration:
      guard let cases = EnumCases(of: type)?.all, !cases.isEmpty, cases.allSatisfy({ $0.payload == nil }) else {
        return nil
      }
      return UInt64(cases.count)
    default: return nil
    }
  }
}
