import MillraceIPC

/// An input that has not been read yet, of whatever kind: what the methods of the map family make their jobs of.
///
/// The sequence was sent here, so nobody else uses it; each job iterates it anew.
@usableFromInline
package struct ItemSource<Input: Sendable> {
  let makeReader: () -> Reader<Input>
  let count: Int?

  /// The items of a sequence.
  ///
  /// - Parameter actor: the actor on which it is given to us. That one reads what may hold code of its own.
  @inlinable
  package init<S: Sequence>(_ items: sending S, from actor: (any Actor)? = nil) where S.Element == Input {
    let items = items
    self.init(count: knownCount(items), place(of: type(of: items), from: actor)) {
      (items as? [Input]).map { Pull(array: $0) } ?? Pull(items)
    }
  }

  /// The items of an asynchronous sequence.
  @inlinable
  package init<S: AsyncSequence>(_ items: sending S) where S.Element == Input {
    let items = items
    self.init { AsyncPull(items) }
  }

  /// The outputs of another job. To be read once.
  package init(_ edge: Edge<Input>) {
    count = nil
    makeReader = { .pushed(edge) }
  }

  /// What a pipeline's source puts.
  init<S: Source>(_ source: S) where S.Output == Input {
    count = nil
    makeReader = { .produced { try await source.produce($0) } }
  }

  @usableFromInline
  init(count: Int?, _ place: ReadingPlace, makePull: @escaping () -> Pull<Input>) {
    self.count = count
    makeReader =
      switch place {
      case .here: { .inline(makePull()) }
      case .thread: { .blocking(makePull()) }
      case .actor(let actor): { .isolated(IsolatedPull(actor, makePull)) }
      }
  }

  @usableFromInline
  init(makePull: @escaping () -> AsyncPull<Input>) {
    count = nil
    makeReader = { .asynchronous(makePull()) }
  }
}

/// Where a sequence is to be read.
@usableFromInline
package enum ReadingPlace {
  /// Wherever the demand arises.
  case here
  case thread
  case actor(any Actor)
}

/// Where a sequence of the type is to be read that was given to us on the actor; nil: on none.
@usableFromInline
func place<S: Sequence>(of type: S.Type, from actor: (any Actor)?) -> ReadingPlace {
  if isInMemory(type) { return .here }
  guard let actor, ActorCode.isPossible(in: type) else { return .thread }
  return .actor(actor)
}

/// Whether reading a sequence of the type neither computes nor blocks.
@usableFromInline
func isInMemory<S: Sequence>(_ type: S.Type) -> Bool {
  type == Array<S.Element>.self || type == ContiguousArray<S.Element>.self || type == ArraySlice<S.Element>.self
    || type == CollectionOfOne<S.Element>.self || type == EmptyCollection<S.Element>.self || type == String.self
    || isRange(type)
}

/// Whether it is a range of the standard library's integers.
@usableFromInline
func isRange<S: Sequence>(_ type: S.Type) -> Bool {
  func isRange<Bound: FixedWidthInteger>(of bound: Bound.Type) -> Bool where Bound.Stride: SignedInteger {
    type == Range<Bound>.self || type == ClosedRange<Bound>.self
  }
  return isRange(of: Int.self) || isRange(of: UInt64.self) || isRange(of: UInt32.self) || isRange(of: UInt16.self)
    || isRange(of: UInt8.self) || isRange(of: UInt.self) || isRange(of: Int64.self) || isRange(of: Int32.self)
    || isRange(of: Int16.self) || isRange(of: Int8.self)
}

/// The sequence's length, if it is known without reading it.
@usableFromInline
func knownCount<S: Sequence>(_ items: borrowing S) -> Int? {
  func count<C: RandomAccessCollection>(_ items: C) -> Int { items.count }
  guard let collection = copy items as? any RandomAccessCollection else { return nil }
  if WideRange.isInside(collection) { return nil }
  return count(collection)
}

/// A range may have more numbers than can be counted, which would end the program.
@usableFromInline
enum WideRange {
  /// Whether the collection is such a range, or what the standard library makes of one: reversed, lazily mapped, its indices, a slice.
  @usableFromInline
  static func isInside(_ collection: Any) -> Bool {
    if let range = collection as? any NumberRange { return range.isWide }
    // What shows something else of itself is none of these: its elements perhaps, however many.
    if collection is any CustomReflectable { return false }
    // They keep it under one of these names.
    for child in Mirror(reflecting: collection).children where ["_base", "_elements", "elements"].contains(child.label)
    {
      if isInside(child.value) { return true }
    }
    return false
  }
}

private protocol NumberRange {
  var isWide: Bool { get }
}

extension NumberRange {
  /// That few short of what can be counted make no difference.
  fileprivate func isWide<Bound: BinaryInteger>(from lower: Bound, to upper: Bound) -> Bool {
    Double(upper) - Double(lower) > 9e18
  }
}

extension Range: NumberRange where Bound: BinaryInteger {
  fileprivate var isWide: Bool { isWide(from: lowerBound, to: upperBound) }
}

extension ClosedRange: NumberRange where Bound: BinaryInteger {
  fileprivate var isWide: Bool { isWide(from: lowerBound, to: upperBound) }
}
