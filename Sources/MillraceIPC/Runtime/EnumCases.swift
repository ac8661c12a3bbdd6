/// The cases of an enumeration, in the order of their tags, and how a value is taken apart and put together.
///
/// The standard library has no call for either. What is read here is what its `Mirror` reads: the field descriptor, which has a record
/// for each case, and the last three value witnesses. Their layouts are a part of Swift's stable ABI.
struct EnumCases {
  struct Case {
    let name: String
    /// Nil for a case that carries nothing.
    let payload: Any.Type?
    /// Whether what it carries is in a box of its own.
    let isIndirect: Bool
  }

  let all: [Case]
  private let metadata: UnsafeRawPointer
  private let witnesses: UnsafeRawPointer

  /// Nil for what is no enumeration, and for one that was compiled without what reflection needs.
  init?(of type: Any.Type) {
    switch TypeKind(type) {
    case .enumeration, .optional: break
    default: return nil
    }
    metadata = unsafeBitCast(type, to: UnsafeRawPointer.self)
    witnesses = (metadata - 8).load(as: UnsafeRawPointer.self)
    let hasEnumWitnesses: UInt32 = 0x20_0000
    guard witnesses.load(fromByteOffset: 80, as: UInt32.self) & hasEnumWitnesses != 0,
      let cases = Self.cases(type)
    else { return nil }
    all = cases
  }

  private static func cases(_ type: Any.Type) -> [Case]? {
    let metadata = unsafeBitCast(type, to: UnsafeRawPointer.self)
    let descriptor = metadata.load(fromByteOffset: 8, as: UnsafeRawPointer.self)
    // Cases that carry something, and those that carry nothing, or something without bytes.
    let count =
      Int(descriptor.load(fromByteOffset: 20, as: UInt32.self) & 0xFF_FFFF)
      + Int(descriptor.load(fromByteOffset: 24, as: UInt32.self))
    guard let records = FieldRecords(of: type)?.all, records.count == count else { return nil }
    var cases: [Case] = []
    for record in records {
      var payload: Any.Type?
      if record.hasType {
        guard let type = record.type else { return nil }
        payload = type
      }
      cases.append(Case(name: record.name, payload: payload, isIndirect: record.isIndirect))
    }
    return cases
  }

  // MARK: - The value witnesses

  /// Which case a value is.
  func tag(of value: UnsafeRawPointer) -> Int {
    typealias Witness = @convention(c) (UnsafeRawPointer, UnsafeRawPointer) -> UInt32
    return Int(witnesses.load(fromByteOffset: 88, as: Witness.self)(value, metadata))
  }

  /// Leaves of a value what its case carries, or the box with it. The value is none until `inject` makes it one again.
  func project(_ value: UnsafeMutableRawPointer) {
    typealias Witness = @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer) -> Void
    witnesses.load(fromByteOffset: 96, as: Witness.self)(value, metadata)
  }

  /// Makes a value of what the case of this tag carries.
  func inject(_ tag: Int, _ value: UnsafeMutableRawPointer) {
    typealias Witness = @convention(c) (UnsafeMutableRawPointer, UInt32, UnsafeRawPointer) -> Void
    witnesses.load(fromByteOffset: 104, as: Witness.self)(value, UInt32(tag), metadata)
  }
}
