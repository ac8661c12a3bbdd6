@_spi(Reflection) internal import Swift

/// Types whose values are memory that the processes of one machine have in common.
package protocol InCommonMemory {}

/// What the values of types have of such memory in them.
package enum SharedParts {
  /// The first such type of which each value of this one has one; nil: none, or one cannot tell, as with optionals and elements.
  package static func first(in type: Any.Type) -> Any.Type? {
    if type is any InCommonMemory.Type { return type }
    switch TypeKind(type) {
    case .structure, .tuple: break
    default: return nil
    }
    var found: Any.Type?
    _ = _forEachField(of: type, options: []) { _, _, field, _ in
      found = first(in: field)
      return found == nil
    }
    return found
  }
}
