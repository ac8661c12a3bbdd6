#if os(Linux)
import CMillrace

/// A type's name across processes of the same build.
///
/// Most types are found again by their mangled name, generic ones included. The mangled names of private and
/// function-local types carry an address, which means nothing elsewhere; a non-generic one of the main executable is
/// found by the place of its type descriptor in the image, through the descriptor's own accessor, so that its metadata
/// is complete however it has to be initialised.
package struct TypeReference: Hashable, Sendable {
  package let bytes: [UInt8]

  private enum Kind: UInt8 {
    case name = 1
    case descriptor = 2
  }

  /// `nil` if another process could not find the type: private generic ones, or private ones of a shared library.
  package init?(_ type: Any.Type) {
    // Each way counts only if it leads back here.
    if let name = _mangledTypeName(type), Self.isPortable(name), let found = _typeByName(name), found == type {
      bytes = [Kind.name.rawValue] + Array(name.utf8)
      return
    }
    guard let offset = Self.descriptorOffset(of: type), let found = Self.type(atDescriptor: offset), found == type
    else { return nil }
    bytes = [Kind.descriptor.rawValue] + (0..<8).map { UInt8(truncatingIfNeeded: UInt64(offset) >> ($0 * 8)) }
  }

  /// What another process of this build sent; believed only as far as `resolve` can check it.
  package init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// The type here.
  ///
  /// Only between processes of the same build: check the fingerprint first. Bytes that no process of it would send are no
  /// type; none make this one follow an address that they hold.
  package func resolve() -> Any.Type? {
    guard let first = bytes.first, let kind = Kind(rawValue: first) else { return nil }
    let content = bytes.dropFirst()
    switch kind {
    case .name:
      let name = String(decoding: content, as: UTF8.self)
      return content.count <= 4096 && Self.isPortable(name) ? _typeByName(name) : nil
    case .descriptor:
      guard content.count == 8 else { return nil }
      let offset = content.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return Int(exactly: offset).flatMap(Self.type(atDescriptor:))
    }
  }

  /// Anonymous contexts are mangled as the address of their descriptor: "$" and hexadecimal digits and "Z", a
  /// character that no identifier of Swift's mangling begins with; symbolic references are control characters. A number as
  /// an argument, as in `InlineArray<3, Int>`, begins with "$", too: decimal digits and "_" follow.
  private static func isPortable(_ name: String) -> Bool {
    var isNumber = false
    for byte in name.utf8 {
      if isNumber {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "n"): continue
        case UInt8(ascii: "_"): isNumber = false
        default: return false
        }
      } else if byte == UInt8(ascii: "$") {
        isNumber = true
      } else if byte < 0x20 {
        return false
      }
    }
    return !isNumber
  }

  // The rest knows the layout of Swift's metadata (stable on Apple's platforms, and the same on Linux; see ABI/
  // TypeMetadata.rst). Every step is checked against the image's range, and the round trip in `init`.

  private static func descriptorOffset(of type: Any.Type) -> Int? {
    let metadata = unsafeBitCast(type, to: UnsafePointer<UInt>.self)
    let descriptor: UInt
    switch TypeKind(type) {
    case .class: descriptor = metadata[5]
    case .structure, .enumeration: descriptor = metadata[1]
    default: return nil
    }
    guard let image = image, image.contains(descriptor) else { return nil }
    return Int(descriptor - image.lowerBound)
  }

  private static func type(atDescriptor offset: Int) -> Any.Type? {
    guard let image = image, descriptors.contains(offset) else { return nil }
    guard let descriptor = UnsafeRawPointer(bitPattern: image.lowerBound + UInt(offset)) else { return nil }
    let flags = descriptor.load(as: UInt32.self)
    let isNominal = (16...18).contains(flags & 0x1f)
    let isGeneric = flags & 0x80 != 0
    guard isNominal, !isGeneric else { return nil }
    // Relative to its own place, after the flags, the parent and the name.
    let place = descriptor + 12
    let relative = Int(place.load(as: Int32.self))
    guard relative != 0, image.contains(UInt(bitPattern: place + relative)) else { return nil }
    // Swift's convention for it is C's: a word in, two words out in registers. The first one is the metadata.
    typealias Accessor = @convention(c) (UInt) -> UnsafeRawPointer
    let accessor = unsafeBitCast(place + relative, to: Accessor.self)
    return unsafeBitCast(accessor(0), to: Any.Type.self)
  }

  /// Where in the image there are type descriptors.
  private static let descriptors: Set<Int> = {
    var begin: UnsafePointer<Int32>?
    var end: UnsafePointer<Int32>?
    millrace_image_types(&begin, &end)
    guard let image = image, let begin, let end else { return [] }
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
