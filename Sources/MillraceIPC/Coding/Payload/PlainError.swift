/// Errors that are not `Codable` but so simple that their case is all that there is to them: enums without payloads, and types without properties.
///
/// Most errors are such enums, and users want to `catch MyError.notFound` whether the work ran on a thread or in a process.
enum PlainError {
  /// The number of the case of `error`, if its type is that simple; nothing, if it has but one value.
  static func bytes(of error: any Error) -> [UInt8]? {
    func number<E: Error>(of error: E) -> [UInt8]? {
      switch Shape(E.self) {
      case nil: nil
      case .single: []
      case .cases(let cases):
        withUnsafePointer(to: error) { error in
          withUnsafeBytes(of: UInt32(cases.tag(of: error)).littleEndian) { [UInt8]($0) }
        }
      }
    }
    return number(of: error)
  }

  /// The error of the given type that went out as these bytes; nil if there is none.
  static func error<E: Error>(_ type: E.Type, bytes: [UInt8]) -> (any Error)? {
    guard let shape = Shape(type) else { return nil }
    return withUnsafeTemporaryAllocation(of: E.self, capacity: 1) { place -> (any Error)? in
      guard let place = place.baseAddress else { return nil }
      switch shape {
      case .single: if !bytes.isEmpty { return nil }
      case .cases(let cases):
        let number = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard bytes.count == 4, number < cases.all.count else { return nil }
        UnsafeMutableRawBufferPointer(start: place, count: MemoryLayout<E>.size).initializeMemory(
          as: UInt8.self, repeating: 0)
        cases.inject(Int(number), place)
      }
      return place.move()
    }
  }

  private enum Shape {
    /// A structure without properties.
    case single
    /// An enumeration without payloads.
    case cases(EnumCases)

    /// Nil for all other types.
    init?<E>(_ type: E.Type) {
      guard RuntimeCanary.problem == nil, _isPOD(type) else { return nil }
      switch TypeKind(type) {
      case .structure where MemoryLayout<E>.size == 0: self = .single
      case .enumeration:
        guard let cases = EnumCases(of: type), !cases.all.isEmpty, cases.all.allSatisfy({ $0.payload == nil }) else {
          return nil
        }
        self = .cases(cases)
      default: return nil
      }
    }
  }
}
