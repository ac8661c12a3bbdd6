/// Prints each item, and hands it on.
package struct Print: PassThrough {
  private let prefix: String

  package init(_ prefix: String = "") { self.prefix = prefix }

  package func stage<Item: Sendable>(for type: Item.Type) -> Tap<Item> {
    let prefix = prefix
    return Tap("Print") { print("\(prefix)\($0)") }
  }
}
