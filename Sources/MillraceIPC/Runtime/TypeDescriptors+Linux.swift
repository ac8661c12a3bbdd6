#if os(Linux)
internal import CMillrace

/// The types that were compiled into the executable, by the places of their descriptors in its image: the same in every process of
/// the same build.
///
/// Every step is checked against the image's range; whoever looks up a place compares with the type from which it came.
enum TypeDescriptors {
  /// Where the descriptor of a type is; nil for one that is generic or a shared library's.
  static func offset(of type: Any.Type, _ layout: MetadataLayout = .known) -> Int? {
    guard let descriptor = descriptor(of: type, layout), let image, image.contains(descriptor) else { return nil }
    let offset = Int(descriptor - image.lowerBound)
    return all.contains(offset) ? offset : nil
  }

  /// Whether the metadata of a type is in the image, as that of those is which are neither generic nor made when first used.
  static func isInImage(_ type: Any.Type) -> Bool {
    image?.contains(UInt(bitPattern: unsafeBitCast(type, to: UnsafeRawPointer.self))) ?? false
  }

  /// Whether nobody has told the linker to keep the table of descriptors.
  static var isEmpty: Bool { all.isEmpty }

  private static func descriptor(of type: Any.Type, _ layout: MetadataLayout) -> UInt? {
    let metadata = unsafeBitCast(type, to: UnsafeRawPointer.self)
    switch TypeKind(type, layout) {
    case .class: return metadata.load(fromByteOffset: layout.classDescriptor, as: UInt.self)
    case .structure, .enumeration: return metadata.load(fromByteOffset: layout.descriptor, as: UInt.self)
    default: return nil
    }
  }

  /// The type whose descriptor is there, if it is no generic one.
  static func type(at offset: Int, _ layout: MetadataLayout = .known) -> Any.Type? {
    guard let image, all.contains(offset) else { return nil }
    guard let descriptor = UnsafeRawPointer(bitPattern: image.lowerBound + UInt(offset)) else { return nil }
    let flags = descriptor.load(as: UInt32.self)
    // Classes, structures and enumerations.
    let isNominal = (16...18).contains(flags & 0x1f)
    let isGeneric = flags & 0x80 != 0
    guard isNominal, !isGeneric else { return nil }
    guard let accessor = relative(descriptor + layout.accessor), image.contains(UInt(bitPattern: accessor)) else {
      return nil
    }
    // The type's own accessor, so that its metadata is complete however it has to be initialised. Swift's convention for it is
    // C's: a word in, two words out in registers. The first one is the metadata.
    typealias Accessor = @convention(c) (UInt) -> UnsafeRawPointer
    return unsafeBitCast(unsafeBitCast(accessor, to: Accessor.self)(0), to: Any.Type.self)
  }

  /// The name of the type whose descriptor is there, without what it is in.
  static func name(at offset: Int, _ layout: MetadataLayout = .known) -> String? {
    guard let image, all.contains(offset) else { return nil }
    guard let descriptor = UnsafeRawPointer(bitPattern: image.lowerBound + UInt(offset)),
      let name = relative(descriptor + layout.name), image.contains(UInt(bitPattern: name))
    else { return nil }
    return String(cString: name.assumingMemoryBound(to: CChar.self))
  }

  /// Where in the image there are type descriptors.
  private static let all: Set<Int> = {
    var begin: UnsafePointer<Int32>?
    var end: UnsafePointer<Int32>?
    millrace_image_types(&begin, &end)
    guard let image, let begin, let end else { return [] }
    var found: Set<Int> = []
    for place in stride(from: UnsafeRawPointer(begin), to: UnsafeRawPointer(end), by: 4) {
      let relative = Int(place.load(as: Int32.self))
      let descriptor = UInt(bitPattern: place + relative)
      if relative & 3 == 0, image.contains(descriptor) { found.insert(Int(descriptor - image.lowerBound)) }
    }
    return found
  }()

  private static let image: Range<UInt>? = {
    var base: UInt = 0
    var end: UInt = 0
    guard millrace_image_range(&base, &end) == 0 else { return nil }
    return base..<end
  }()
}
#endif
