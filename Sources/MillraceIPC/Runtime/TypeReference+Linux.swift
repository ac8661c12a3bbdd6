#if os(Linux)
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
    guard let offset = TypeDescriptors.offset(of: type), let found = TypeDescriptors.type(at: offset), found == type
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
      return Int(exactly: offset).flatMap { TypeDescriptors.type(at: $0) }
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
}
#endif
