@_spi(Reflection) internal import Swift

/// The stored properties of a structure or tuple, as they lie in memory and travel.
///
/// They are known from what the compiler writes into the executable for reflection. The executable at the other end is the same.
struct Members {
  /// A stored property, or several bitwise-copyable ones that lie beside each other.
  struct Member {
    /// From the start of the whole value.
    let offset: Int
    let byteCount: Int
    /// Nil for what is bitwise-copyable. `Members` has it.
    let coding: Unmanaged<EnclosedCoding>?
  }

  private(set) var all: [Member] = []
  private var codings: [EnclosedCoding] = []
  /// The last bitwise-copyable properties, which lie beside each other.
  private var bits: Range<Int>?

  /// - Parameter whole: the types that have values of `type` in their properties.
  init(of type: Any.Type, in whole: [Any.Type]) throws(Obstacle) {
    try add(membersOf: type, at: 0, in: whole)
    endBits()
  }

  private mutating func add(membersOf type: Any.Type, at base: Int, in whole: [Any.Type]) throws(Obstacle) {
    if whole.contains(where: { $0 == type }) {
      throw Obstacle(type: type, reason: "not Codable, and holds values of its own type")
    }
    for property in try Self.properties(of: type) {
      do throws(Obstacle) { try add(property.type, at: base + property.offset, in: whole + [type]) } catch {
        throw error.within(property.name)
      }
    }
  }

  private mutating func add(_ type: Any.Type, at offset: Int, in whole: [Any.Type]) throws(Obstacle) {
    if Payload.isBitwise(type) {
      // What is in a gap is nobody's, and would make equal values unequal bytes.
      if bits?.upperBound != offset { endBits() }
      bits = (bits?.lowerBound ?? offset)..<(offset + layout(of: type).size)
    } else if Payload.isInlined(type, in: whole) {
      try add(membersOf: type, at: offset, in: whole)
    } else {
      endBits()
      let coding = enclosed(type, try Payload.form(of: type, in: whole))
      codings.append(coding)
      all.append(Member(offset: offset, byteCount: layout(of: type).size, coding: .passUnretained(coding)))
    }
  }

  private mutating func endBits() {
    if let bits, !bits.isEmpty { all.append(Member(offset: bits.lowerBound, byteCount: bits.count, coding: nil)) }
    bits = nil
  }

  private static func properties(
    of type: Any.Type
  ) throws(Obstacle) -> [(name: String, offset: Int, type: Any.Type)] {
    // What these keep in their properties is their own affair: a substring has all of its string.
    let name = String(reflecting: type)
    if ["Swift.", "Foundation.", "FoundationEssentials."].contains(where: name.hasPrefix) {
      throw Obstacle(type: type, reason: "not Codable")
    }
    if isClass(type) { throw Obstacle(type: type, reason: "a class") }
    var properties: [(name: String, offset: Int, type: Any.Type)] = []
    var reference: Obstacle?
    var end = 0
    var isGapless = true
    _ = _forEachField(of: type) { name, offset, type, kind in
      let name = String(cString: name)
      // Weak and unowned ones are of these types too, and cannot be told from others.
      if isClass(type) || kind == .optional && isClass((type as? any WrappingValues.Type)?.wrapped ?? type) {
        reference = reference ?? Obstacle(type: type, reason: "a class").within(name)
      }
      let layout = layout(of: type)
      isGapless = isGapless && offset == (end + layout.alignment - 1) & -layout.alignment
      end = offset + layout.size
      properties.append((name, offset, type))
      return true
    }
    if let reference { throw reference }
    // Enumerations, functions and protocols have none, nor have structures that were compiled without this information.
    guard isGapless, end == layout(of: type).size else {
      throw Obstacle(type: type, reason: "neither Codable nor a structure")
    }
    return properties
  }
}

/// Why values of a type cannot travel: what is wrong with it, or with one of its stored properties.
struct Obstacle: Error {
  /// The names of the properties that lead there.
  private(set) var path: [String] = []
  let type: Any.Type
  let reason: String

  init(type: Any.Type, reason: String) {
    self.type = type
    self.reason = reason
  }

  func within(_ property: String) -> Obstacle {
    var outer = self
    outer.path.insert(property, at: 0)
    return outer
  }

  /// Nil where the type that was asked for is all that could be named.
  var text: String? {
    path.isEmpty ? nil : "its property \(path.joined(separator: ".")), of type \(readableTypeName(type)), is \(reason)"
  }
}

private func isClass(_ type: Any.Type) -> Bool { type is AnyObject.Type }

private func layout(of type: Any.Type) -> (size: Int, alignment: Int) {
  func layout<T>(_: T.Type) -> (size: Int, alignment: Int) { (MemoryLayout<T>.size, MemoryLayout<T>.alignment) }
  return _openExistential(type, do: layout)
}

private func enclosed(_ type: Any.Type, _ form: PayloadForm) -> EnclosedCoding {
  func coding<T>(_: T.Type) -> EnclosedCoding { EnclosedValueCoding<T>(form) }
  return _openExistential(type, do: coding)
}
