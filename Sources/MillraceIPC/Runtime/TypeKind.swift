/// What sort of type it is.
///
/// Whoever wants to know anything of a type asks for this first: the first word of its metadata, which all metadata has. What is
/// behind that word depends on the sort, and the runtime follows it blindly: to ask an existential for its stored properties ends
/// the program.
enum TypeKind {
  case structure, enumeration, optional, tuple
  case `class`
  case existential, metatype, function
  /// What structures of the standard library are made of.
  case builtin
  /// Nothing that is known here.
  case unknown

  init(_ type: Any.Type, _ layout: MetadataLayout = .known) {
    switch unsafeBitCast(type, to: UnsafePointer<UInt>.self).pointee {
    case layout.firstKind: self = .structure
    case layout.firstKind + 1: self = .enumeration
    case layout.firstKind + 2: self = .optional
    case 0x301: self = .tuple
    // Those of C and Objective-C; on Apple's platforms a class begins with the address of its own class.
    case 0, 0x203, 0x204, 0x305, 0x800...: self = .class
    case 0x303, 0x307: self = .existential
    case 0x304, 0x306: self = .metatype
    case 0x302: self = .function
    case 0x300, 0x308: self = .builtin
    default: self = .unknown
    }
  }

  /// Why values of such a type do not travel, where the sort alone says it; nil where it depends on the type.
  var obstacle: String? {
    switch self {
    case .structure, .enumeration, .optional, .tuple, .class: nil
    case .existential: "an existential, of whose values only their own process knows what type they are"
    case .metatype: "a type, whose address means nothing elsewhere"
    case .function: "a function"
    case .builtin: "a reference or an address"
    case .unknown: "neither Codable nor a structure"
    }
  }
}
