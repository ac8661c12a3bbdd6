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
      let cases = Self.cases(metadata)
    else { return nil }
    all = cases
  }

  // MARK: - The descriptor

  private static func cases(_ metadata: UnsafeRawPointer) -> [Case]? {
    let descriptor = metadata.load(fromByteOffset: 8, as: UnsafeRawPointer.self)
    // Cases that carry something, and those that carry nothing, or something without bytes.
    let count =
      Int(descriptor.load(fromByteOffset: 20, as: UInt32.self) & 0xFF_FFFF)
      + Int(descriptor.load(fromByteOffset: 24, as: UInt32.self))
    guard let fields = relative(descriptor + 16) else { return nil }
    let size = Int(fields.load(fromByteOffset: 10, as: UInt16.self))
    guard size >= 12, fields.load(fromByteOffset: 12, as: UInt32.self) == count else { return nil }
    var cases: [Case] = []
    for index in 0..<count {
      let record = fields + 16 + index * size
      guard let name = relative(record + 8) else { return nil }
      var payload: Any.Type?
      if let mangled = relative(record + 4) {
        guard let type = type(mangled, in: descriptor, metadata) else { return nil }
        payload = type
      }
      let isIndirect = record.load(as: UInt32.self) & 1 != 0
      cases.append(
        Case(name: String(cString: name.assumingMemoryBound(to: CChar.self)), payload: payload, isIndirect: isIndirect))
    }
    return cases
  }

  /// What a field refers to by its distance from itself.
  private static func relative(_ place: UnsafeRawPointer) -> UnsafeRawPointer? {
    let distance = Int(place.load(as: Int32.self))
    return distance == 0 ? nil : place + distance
  }

  private static func type(
    _ mangled: UnsafeRawPointer, in descriptor: UnsafeRawPointer, _ metadata: UnsafeRawPointer
  ) -> Any.Type? {
    // Ends with a zero; but control characters are followed by an address, near or whole, in which there may be zeros.
    var length = 0
    scan: while true {
      switch mangled.load(fromByteOffset: length, as: UInt8.self) {
      case 0: break scan
      case 0x01...0x17: length += 5
      case 0x18...0x1F: length += 1 + MemoryLayout<UInt>.size
      default: length += 1
      }
    }
    return _getTypeByMangledNameInContext(
      mangled.assumingMemoryBound(to: UInt8.self), UInt(length), genericContext: descriptor,
      genericArguments: metadata + 2 * MemoryLayout<UInt>.size)
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
