/// Counts the items that pass, and prints each one's number: `Processing item 1`, …. What cannot be printed fails as in ``Print``.
public struct Stamp: AnyItemStage {
  private let text: String

  /// Prints this before the number.
  public init(_ text: String = "Processing item") { self.text = text }

  /// For items of a type.
  public func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item> { .stage(Stamps(text: text)) }
}

/// ``Stamp`` for items of a type. Each instance counts what it sees.
struct Stamps<Item: Sendable>: Stage, OneOfOne, NamedStage {
  let text: String
  var name: String { "Stamp" }

  func setUp(_ context: StageContext, _ out: Outlet<Item>) -> Int { 0 }

  func process(_ item: Item, state count: inout Int, _ out: Outlet<Item>) async throws {
    count += 1
    try StandardOutput.print("\(text) \(count)")
    try await out.put(item)
  }

  func tearDown(_ count: consuming Int, _ out: Outlet<Item>) throws { try StandardOutput.flush() }
}
