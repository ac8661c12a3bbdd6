/// Prints each item, and hands it on.
public struct Print: PassThrough {
  private let prefix: String

  /// Prints with a prefix.
  public init(_ prefix: String = "") { self.prefix = prefix }

  /// For items of a type.
  public func stage<Item: Sendable>(for type: Item.Type) -> Tap<Item> {
    let prefix = prefix
    return Tap("Print") { print("\(prefix)\($0)") }
  }
}
