/// A step of a pipeline that sees its items in order, in one instance, and puts as many as it likes for each.
///
/// Its tear-down comes after its last item, and may still put: what was collected and is not whole. A step that makes one output of
/// each input, whichever instance has it, is a ``Worker``; it may run in all slots at once.
public protocol Stage<Input, Output>: Sendable {
  /// What an item is.
  associatedtype Input: Sendable
  /// What it puts.
  associatedtype Output: Sendable
  /// What it keeps between items.
  associatedtype State = Void

  /// Whether it puts items with a ``Meta`` of its own.
  static var setsMeta: Bool { get }
  /// Opens what the stage needs; may put.
  func setUp(_ context: StageContext, _ out: Outlet<Output>) async throws -> State
  /// Takes an item, and puts what it makes of it.
  func process(_ item: Input, state: inout State, _ out: Outlet<Output>) async throws
  /// Closes what `setUp` opened; may put.
  func tearDown(_ state: consuming State, _ out: Outlet<Output>) async throws
}

extension Stage where State == Void {
  /// Nothing to set up.
  public func setUp(_ context: StageContext, _ out: Outlet<Output>) {}
}

extension Stage {
  /// It does not.
  public static var setsMeta: Bool { false }
  /// Nothing to tear down.
  public func tearDown(_ state: consuming State, _ out: Outlet<Output>) {}
}

/// What a stage's instance knows of its place.
public struct StageContext: Sendable, Hashable {
  /// The stage's name, as the pipeline's layout has it.
  public let name: String
  /// Which of the stage's instances this is, from 0.
  public let instance: Int

  package init(name: String, instance: Int) {
    self.name = name
    self.instance = instance
  }
}

/// The first step of a pipeline: makes items out of nothing. When it returns, the pipeline's input has ended.
public protocol Source<Output>: Sendable {
  /// What it puts.
  associatedtype Output: Sendable
  /// Whether it puts items with a ``Meta``.
  static var setsMeta: Bool { get }
  /// Puts its items; each `put` waits for room.
  func produce(_ out: Outlet<Output>) async throws
}

extension Source {
  /// It does not.
  public static var setsMeta: Bool { false }
}

/// A step that only looks at items, of whatever type they are: a line of a builder that needs no type (`Print()`).
public protocol PassThrough: AnyItemStage {
  /// The stage for items of a type.
  func stage<Item: Sendable>(for type: Item.Type) -> Tap<Item>
}

extension PassThrough {
  /// For items of a type.
  public func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item> { .stage(stage(for: type)) }
}

/// Looks at each item, and hands it on.
public struct Tap<Item: Sendable>: Stage {
  let name: String
  private let look: @Sendable (Item) async throws -> Void
  private let end: (@Sendable () throws -> Void)?

  /// A stage of this name, which looks.
  public init(_ name: String, _ look: @escaping @Sendable (Item) async throws -> Void) {
    self.name = name
    self.look = look
    end = nil
  }

  init(
    _ name: String, _ look: @escaping @Sendable (Item) async throws -> Void,
    atEnd end: @escaping @Sendable () throws -> Void
  ) {
    (self.name, self.look, self.end) = (name, look, end)
  }

  /// Looks at the item, and puts it.
  public func process(_ item: Item, state: inout Void, _ out: Outlet<Item>) async throws {
    try await look(item)
    try await out.put(item)
  }

  /// Nothing of yours.
  public func tearDown(_ state: consuming Void, _ out: Outlet<Item>) throws { try end?() }
}
