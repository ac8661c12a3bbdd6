internal import CMillrace

/// What the compiler writes into the executable of each stored property of a structure, or case of an enumeration.
struct FieldRecords {
  struct Record {
    fileprivate let place: UnsafeRawPointer
    fileprivate let metadata: UnsafeRawPointer
    fileprivate let layout: MetadataLayout
    let name: String

    /// Whether a case is `indirect`.
    var isIndirect: Bool { place.loadUnaligned(fromByteOffset: layout.recordFlags, as: UInt32.self) & 1 != 0 }

    /// False for a case that carries nothing.
    var hasType: Bool { relative(place + layout.recordType) != nil }

    /// Nil if the runtime does not find it.
    var type: Any.Type? {
      guard let mangled = relative(place + layout.recordType) else { return nil }
      return _getTypeByMangledNameInContext(
        mangled.assumingMemoryBound(to: UInt8.self), UInt(length(of: mangled).whole),
        genericContext: metadata.load(fromByteOffset: layout.descriptor, as: UnsafeRawPointer.self),
        genericArguments: metadata + layout.genericArguments)
    }

    /// Whether it is a weak or unowned reference.
    var isBorrowed: Bool {
      guard let mangled = relative(place + layout.recordType) else { return false }
      let (whole, letters) = length(of: mangled)
      guard letters >= 2, mangled.load(fromByteOffset: whole - 2, as: UInt8.self) == UInt8(ascii: "X") else {
        return false
      }
      // Weak, unowned, and unowned(unsafe).
      return [UInt8(ascii: "w"), UInt8(ascii: "o"), UInt8(ascii: "u")].contains(
        mangled.load(fromByteOffset: whole - 1, as: UInt8.self))
    }
  }

  let all: [Record]

  /// Nil for types that have none: those of C, and what was compiled without what reflection needs.
  ///
  /// Only structures and enumerations may be asked.
  init?(of type: Any.Type, _ layout: MetadataLayout = .known) {
    let metadata = unsafeBitCast(type, to: UnsafeRawPointer.self)
    let descriptor = metadata.load(fromByteOffset: layout.descriptor, as: UnsafeRawPointer.self)
    guard let fields = relative(descriptor + layout.fields) else { return nil }
    let size = Int(fields.loadUnaligned(fromByteOffset: layout.recordSize, as: UInt16.self))
    guard size >= 12 else { return nil }
    var records: [Record] = []
    for index in 0..<Int(fields.loadUnaligned(fromByteOffset: layout.recordCount, as: UInt32.self)) {
      let record = fields + layout.records + index * size
      guard let name = relative(record + layout.recordName) else { return nil }
      let text = String(cString: name.assumingMemoryBound(to: CChar.self))
      records.append(Record(place: record, metadata: metadata, layout: layout, name: text))
    }
    all = records
  }
}

/// What a field refers to by its distance from itself.
///
/// Nil where it is zero, or nothing lies there: on a toolchain with another layout it is anything.
func relative(_ place: UnsafeRawPointer) -> UnsafeRawPointer? {
  guard isReadable(place) else { return nil }
  let distance = Int(place.loadUnaligned(as: Int32.self))
  return distance != 0 && isReadable(place + distance) ? place + distance : nil
}

private func isReadable(_ place: UnsafeRawPointer) -> Bool {
  #if os(Linux)
  millrace_is_readable(place) != 0
  #else
  true
  #endif
}

/// The bytes of a mangled name, and how many at its end are letters.
///
/// It ends with a zero; but control characters are followed by an address, near or whole, in which there may be zeros, and anything.
private func length(of mangled: UnsafeRawPointer) -> (whole: Int, letters: Int) {
  var whole = 0
  var letters = 0
  while true {
    switch mangled.load(fromByteOffset: whole, as: UInt8.self) {
    case 0: return (whole, letters)
    case 0x01...0x17: (whole, letters) = (whole + 5, 0)
    case 0x18...0x1F: (whole, letters) = (whole + 1 + MemoryLayout<UInt>.size, 0)
    default: (whole, letters) = (whole + 1, letters + 1)
    }
  }
}
