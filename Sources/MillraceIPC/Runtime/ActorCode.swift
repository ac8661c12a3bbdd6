@_spi(Reflection) internal import Swift

/// Whether reading a sequence may run code that belongs to an actor.
///
/// A closure belongs to the actor in whose code it is written, unless it is `@Sendable`; in `main.swift`, to the main actor. Swift lets such
/// closures go to another thread inside a sequence, and ends the program when they are called there. What a sequence holds is
/// known from its type; in a sequence of somebody else's, such as `lazy.map` of `enumerated()`, as well.
package enum ActorCode {
  private static let known = Lock<[ObjectIdentifier: Bool]>([:])

  /// Whether values of the type hold functions that may be an actor's, or how they are read is an actor's itself.
  ///
  /// To be asked on that actor. Where nobody can tell, the answer is yes: an actor may read everything.
  package static func isPossible(in type: Any.Type) -> Bool {
    let id = ObjectIdentifier(type)
    if let answer = known.withLock({ $0[id] }) { return answer }
    var search = Search()
    let answer = RuntimeCanary.problem != nil || search.finds(in: type, inObject: false)
    known.withLock { $0[id] = answer }
    return answer
  }

  /// Whether a function of the type may be called on any thread: it is `@Sendable`, or asynchronous, and then goes to its actor by
  /// itself.
  static func isFree(_ function: Any.Type, _ layout: MetadataLayout = .known) -> Bool {
    let flags = unsafeBitCast(function, to: UnsafeRawPointer.self).load(
      fromByteOffset: layout.functionFlags, as: UInt.self)
    return flags & (layout.sendableFunction | layout.asynchronousFunction) != 0
  }
}

/// Goes through what the values of a type hold.
private struct Search {
  private struct Place: Hashable {
    let type: ObjectIdentifier
    let inObject: Bool
  }
  /// What was looked at, or is being looked at: a type may hold values of its own type.
  private var seen: Set<Place> = []
  private static let mostTypes = 500

  init() {}

  /// - Parameter inObject: whether the values belong to an object. What an object has behind an existential, its logger's handler for
  ///   instance, is taken for its own affair.
  mutating func finds(in type: Any.Type, inObject: Bool) -> Bool {
    // The elements of the whole sequence are what is sent, and nothing of them is called as they are read.
    let isWhole = seen.isEmpty
    // It may hold itself with other arguments, again and again.
    guard seen.count < Self.mostTypes else { return true }
    guard seen.insert(Place(type: ObjectIdentifier(type), inObject: inObject)).inserted else { return false }
    switch TypeKind(type) {
    case .function: return !ActorCode.isFree(type)
    case .existential: return !inObject
    case .metatype, .builtin: return false
    case .unknown: return true
    case .tuple: return fields(of: type).contains { finds(in: $0, inObject: inObject) }
    case .structure, .enumeration, .optional:
      if type is any ErasedSequence.Type || isReadByAnActor(type) { return true }
      // An array's are nothing that its stored properties show.
      if !isWhole, let sequence = type as? any Sequence.Type, finds(in: element(of: sequence), inObject: inObject) {
        return true
      }
      guard let records = FieldRecords(of: type) else {
        // Those of C have no records, and no closures; others could have.
        return TypeLayout(type).size > 0 && !String(reflecting: type).hasPrefix("__C.")
      }
      return records.all.contains { record in
        record.hasType && record.type.map { finds(in: $0, inObject: inObject) } ?? false
      }
    case .class:
      if isReadByAnActor(type) { return true }
      // A file handle for instance: what it keeps in its properties is its own affair.
      if Payload.isOfTheSystem(type) { return false }
      // `.classType`, which is a variable in the standard library.
      return fields(of: type, _EachFieldOptions(rawValue: 1)).contains { finds(in: $0, inObject: true) }
    }
  }

  private func fields(of type: Any.Type, _ options: _EachFieldOptions = []) -> [Any.Type] {
    var types: [Any.Type] = []
    _ = _forEachField(of: type, options: options) { _, _, type, _ in
      types.append(type)
      return true
    }
    return types
  }

  /// Whether it is an actor's code that makes it a sequence, as with `extension Lines: @MainActor Sequence`; in programs whose default
  /// isolation is the main actor's, with any.
  private func isReadByAnActor(_ type: Any.Type) -> Bool {
    // Said twice, for else the metatype is opened, and what is passed is the type alone.
    if let sequence = type as? any Sequence.Type,
      isIsolated(unsafeBitCast(sequence as any Sequence.Type, to: Conformance.self))
    {
      return true
    }
    if let iterator = type as? any IteratorProtocol.Type,
      isIsolated(unsafeBitCast(iterator as any IteratorProtocol.Type, to: Conformance.self))
    {
      return true
    }
    return false
  }

  private func element<S: Sequence>(of _: S.Type) -> Any.Type { S.Element.self }

  /// What a metatype of a protocol is: a type, and how it conforms.
  private typealias Conformance = (type: UnsafeRawPointer, witnesses: UnsafeRawPointer)

  private func isIsolated(_ conformance: Conformance, _ layout: MetadataLayout = .known) -> Bool {
    let descriptor = conformance.witnesses.load(as: UnsafeRawPointer.self)
    return descriptor.load(fromByteOffset: layout.conformanceFlags, as: UInt32.self) & layout.isolatedConformance != 0
  }
}

/// What the standard library has of sequences of which one does not see what is in them.
private protocol ErasedSequence {}

extension AnySequence: ErasedSequence {}
extension AnyIterator: ErasedSequence {}
extension AnyCollection: ErasedSequence {}
extension AnyBidirectionalCollection: ErasedSequence {}
extension AnyRandomAccessCollection: ErasedSequence {}
