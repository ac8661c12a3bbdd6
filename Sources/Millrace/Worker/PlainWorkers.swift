import MillraceIPC

/// Types of workers whose set-up or tear-down is the protocol's own: there is no code of a user's in it, and nothing that a task of its
/// own would be for.
///
/// Nothing else says so of a type. It is found when the protocol's own is called for the first time, as what is right for the type.
enum PlainWorkers {
  struct Kinds: OptionSet {
    let rawValue: UInt8

    static let opensNothing = Kinds(rawValue: 1)
    static let closesNothing = Kinds(rawValue: 2)

    /// In one word with a type, whose address has room for it.
    func word(of type: Any.Type) -> UInt { UInt(bitPattern: ObjectIdentifier(type)) | UInt(rawValue) }
  }

  // A `Lock`, for a forked process uses it too.
  private static let known = Lock<[ObjectIdentifier: Kinds]>([:])

  static func add(_ kinds: Kinds, of type: Any.Type) {
    known.withLock { _ = $0[ObjectIdentifier(type), default: []].insert(kinds) }
  }

  static func kinds(of type: Any.Type) -> Kinds { known.withLock { $0[ObjectIdentifier(type)] ?? [] } }

  /// Takes the lock, once: a forked process finds out whether it is free there.
  static func pass() { known.withLock { _ in } }
}
