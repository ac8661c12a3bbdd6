/// An option has a value that it cannot have.
public struct InvalidOption: Error, Hashable, Sendable, CustomStringConvertible {
  /// The option, as the caller wrote it.
  public var name: String
  /// The value that it was given.
  public var value: String
  /// What it may be: completes the sentence "it has to be …".
  public var allowed: String

  /// Says that `name` was given `value`, and what is `allowed`.
  public init(name: String, value: some Any, allowed: String) {
    self.name = name
    self.value = "\(value)"
    self.allowed = allowed
  }

  /// One sentence that names the option, its value and what is allowed.
  public var description: String { "\(name) is \(value): it has to be \(allowed)" }
}
