/// The cases of an enumeration, in the order of their tags, and how a value is taken apart and put together.
///
/// The standard library has no call for either. What is read here is what its `Mirror` reads: the field descriptor, which has a record
/// for each case, and the last three value witnesses.
struct EnumCases {
  struct Case {
    let name: String
    /// Nil for a case that carries nothing.
    let payload: Any.Type?
    /// Whether what it carries is in a box of its own.
    let isIndirect: Bool
  }

  typealias Tag = @convention(c) (UnsafeRawPointer, UnsafeRawPointer) -> UInt32
  typealias Project = @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer) -> Void
  typealias Inject = @convention(c) (UnsafeMutableRawPointer, UInt32, UnsafeRawPointer) -> Void

  let all: [Case]
  private let metadata: UnsafeRawPointer
  private let tag: Tag
  private let project: Project
  private let inject: Inject

  /// Nil for what is no enumeration, and for one that was compiled without what reflection needs.
  init?(of type: Any.Type, _ layout: MetadataLayout = .known) {
    switch TypeKind(type, layout) {
    case .enumeration, .optional: break
    default: return nil
    }
    metadata = unsafeBitCast(type, to: UnsafeRawPointer.self)
    let witnesses = metadata.load(fromByteOffset: layout.witnesses, as: UnsafeRawPointer.self)
    let hasEnumWitnesses: UInt32 = 0x20_0000
    guard witnesses.loadUnaligned(fromByteOffset: layout.witnessFlags, as: UInt32.self) & hasEnumWitnesses != 0,
      let cases = Self.cases(type, layout)
    else { return nil }
    all = cases
    tag = witnesses.load(fromByteOffset: layout.tagWitness, as: Tag.self)
    project = witnesses.load(fromByteOffset: layout.projectWitness, as: Project.self)
    inject = witnesses.load(fromByteOffset: layout.injectWitness, as: Inject.self)
  }

  private static func cases(_ type: Any.Type, _ layout: MetadataLayout) -> [Case]? {
    let metadata = unsafeBitCast(type, to: UnsafeRawPointer.self)
    let descriptor = metadata.load(fromByteOffset: layout.descriptor, as: UnsafeRawPointer.self)
    let count =
      Int(descriptor.loadUnaligned(fromByteOffset: layout.payloadCases, as: UInt32.self) & 0xFF_FFFF)
      + Int(descriptor.loadUnaligned(fromByteOffset: layout.emptyCases, as: UInt32.self))
    guard let records = FieldRecords(of: type, layout)?.all, records.count == count else { return nil }
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
  func tag(of value: UnsafeRawPointer) -> Int { Int(tag(value, metadata)) }

  /// Leaves of a value what its case carries, or the box with it. The value is none until `inject` makes it one again.
  func project(_ value: UnsafeMutableRawPointer) { project(value, metadata) }

  /// Makes a value of what the case of this tag carries.
  func inject(_ tag: Int, _ value: UnsafeMutableRawPointer) { inject(value, UInt32(tag), metadata) }
}
