@_spi(Reflection) internal import Swift

/// A stored property of a structure, or an element of a tuple.
struct StoredProperty {
  let name: String
  /// From the start of the value.
  let offset: Int
  let type: Any.Type
  /// Whether it is a weak or unowned reference. What lies there is none of its type, which may be `Object?` as that of others.
  let isBorrowed: Bool

  /// All of a type's, from what the compiler writes into the executable for reflection; nil if that does not account for all of its
  /// bytes, as with types of C, and structures that were compiled without it.
  ///
  /// Only structures and tuples may be asked.
  static func all(of type: Any.Type, _ layout: MetadataLayout = .known) -> [StoredProperty]? {
    switch TypeKind(type, layout) {
    case .structure, .tuple: break
    default: return nil
    }
    var properties: [StoredProperty] = []
    var end = 0
    var isGapless = true
    // Nothing in a tuple is weak.
    let borrowed = TypeKind(type, layout) == .structure ? FieldRecords(of: type, layout)?.all.map(\.isBorrowed) : []
    guard let borrowed else { return TypeLayout(type).size == 0 ? [] : nil }
    _ = _forEachField(of: type) { name, offset, type, kind in
      let layout = TypeLayout(type)
      // What has no size lies anywhere: the compiler puts it at the start.
      if layout.size > 0 {
        isGapless = isGapless && offset == (end + layout.alignment - 1) & -layout.alignment
        end = offset + layout.size
      }
      properties.append(
        StoredProperty(
          name: String(cString: name), offset: offset, type: type,
          isBorrowed: properties.count < borrowed.count && borrowed[properties.count]))
      return true
    }
    return isGapless && end == TypeLayout(type).size ? properties : nil
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
