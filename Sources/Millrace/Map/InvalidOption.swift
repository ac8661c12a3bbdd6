/// An option has a value that it cannot have.
public struct InvalidOption: Error, Sendable, Hashable, CustomStringConvertible {
  /// The option's name.
  public var name: String
  /// The value that it was given.
  public var value: String
  /// What is allowed.
  public var allowed: String

  /// Creates the error.
  public init(name: String, value: String, allowed: String) {
    self.name = name
    self.value = value
    self.allowed = allowed
  }

  public var description: String { "\(name) is \(value); allowed: \(allowed)" }
}
