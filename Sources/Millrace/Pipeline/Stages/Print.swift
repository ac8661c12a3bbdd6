/// Prints each item, and hands it on.
///
/// Lines go where Swift's `print` puts its own, in turn with those. What cannot be printed, for standard output is closed or full, fails its item with
/// a ``SystemError``; what was kept back for later ones, and is found at the end, fails the stage's tear-down.
public struct Print: PassThrough {
  private let prefix: String

  /// Prints with a prefix.
  public init(_ prefix: String = "") { self.prefix = prefix }

  /// For items of a type.
  public func stage<Item: Sendable>(for type: Item.Type) -> Tap<Item> {
    let prefix = prefix
    return Tap("Print", { try StandardOutput.print("\(prefix)\($0)") }, atEnd: StandardOutput.flush)
  }
}
