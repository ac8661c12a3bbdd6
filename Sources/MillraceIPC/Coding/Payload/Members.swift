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

  init(of type: Any.Type, in context: PayloadContext) throws(Obstacle) {
    try add(membersOf: type, at: 0, in: context)
    endBits()
  }

  private mutating func add(membersOf type: Any.Type, at base: Int, in context: PayloadContext) throws(Obstacle) {
    if context.isWithin(type) {
      throw Obstacle(type: type, reason: "not Codable, and holds values of its own type")
    }
    for property in try Self.properties(of: type) {
      do throws(Obstacle) { try add(property.type, at: base + property.offset, in: context.within(type)) } catch {
        throw error.within(property.name)
      }
    }
  }

  private mutating func add(_ type: Any.Type, at offset: Int, in context: PayloadContext) throws(Obstacle) {
    if Payload.isBitwise(type) {
      // What is in a gap is nobody's, and would make equal values unequal bytes.
      if bits?.upperBound != offset { endBits() }
      bits = (bits?.lowerBound ?? offset)..<(offset + TypeLayout(type).size)
    } else if Payload.isInlined(type, in: context) {
      try add(membersOf: type, at: offset, in: context)
    } else {
      endBits()
      let coding = enclosed(type, try Payload.form(of: type, in: context))
      codings.append(coding)
      all.append(Member(offset: offset, byteCount: TypeLayout(type).size, coding: .passUnretained(coding)))
    }
  }

  private mutating func endBits() {
    if let bits, !bits.isEmpty { all.append(Member(offset: bits.lowerBound, byteCount: bits.count, coding: nil)) }
    bits = nil
  }

  private static func properties(of type: Any.Type) throws(Obstacle) -> [StoredProperty] {
    switch TypeKind(type) {
    case .structure, .tuple: break
    case .class: throw Obstacle(type: type, reason: "a class")
    case let kind: throw Obstacle(type: type, reason: kind.obstacle ?? "neither Codable nor a structure")
    }
    // What these keep in their properties is their own affair.
    if Payload.isOfTheSystem(type) { throw Obstacle(type: type, reason: "not Codable") }
    guard let properties = StoredProperty.all(of: type) else {
      throw Obstacle(type: type, reason: "neither Codable nor a structure")
    }
    if let borrowed = properties.first(where: \.isBorrowed) {
      throw Obstacle(type: borrowed.type, reason: "a class behind a weak or unowned reference").within(borrowed.name)
    }
    return properties
  }
}
