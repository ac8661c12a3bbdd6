@_spi(Reflection) internal import Swift

/// A stored property of a structure, or an element of a tuple.
struct StoredProperty {
  let name: String
  /// From the start of the value.
  let offset: Int
  let type: Any.Type
  /// Whether it refers to an object. Weak and unowned ones are of these types too, and cannot be told from others.
  let isReference: Bool

  /// All of a type's, from what the compiler writes into the executable for reflection; nil if that does not account for all of its
  /// bytes, as with types of C, and structures that were compiled without it.
  ///
  /// Only structures and tuples may be asked.
  static func all(of type: Any.Type) -> [StoredProperty]? {
    switch TypeKind(type) {
    case .structure, .tuple: break
    default: return nil
    }
    var properties: [StoredProperty] = []
    var end = 0
    var isGapless = true
    _ = _forEachField(of: type) { name, offset, type, kind in
      let layout = TypeLayout(type)
      isGapless = isGapless && offset == (end + layout.alignment - 1) & -layout.alignment
      end = offset + layout.size
      properties.append(
        StoredProperty(name: String(cString: name), offset: offset, type: type, isReference: isReference(type)))
      return true
    }
    return isGapless && end == TypeLayout(type).size ? properties : nil
  }

  private static func isReference(_ type: Any.Type) -> Bool {
    if TypeKind(type) == .class || type is AnyObject.Type { return true }
    guard TypeKind(type) == .optional, let optional = type as? any WrappingValues.Type else { return false }
    return optional.wrapped.contains(where: isReference)
  }
}

struct TypeLayout {
  let size: Int
  let alignment: Int

  init(_ type: Any.Type) {
    func layout<T>(_: T.Type) -> (Int, Int) { (MemoryLayout<T>.size, MemoryLayout<T>.alignment) }
    (size, alignment) = _openExistential(type, do: layout)
  }
}
