/// Something could not go to a worker process, or not come back.
///
/// What a value's own `encode(to:)` and `init(from:)` throw is not one: it arrives as what it is.
public struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What stood in the way.
  @nonexhaustive
  public enum Kind: Sendable, Hashable {
    /// Values of this type cannot leave their process.
    case unsupportedType
    /// What arrived is no value of this type.
    case malformedValue
    /// A ``SharedArray``, or another shared object, could not be passed on, or did not arrive.
    case sharedObject
    /// A worker process, or the fork server, cannot be reached or understood any more.
    case connectionLost
  }

  /// What stood in the way.
  public var kind: Kind
  /// The name of the type, with its module, if it is a matter of one.
  public var typeName: String?
  /// What could not be sent or read, why, and what can be done.
  public var message: String

  /// Creates an error.
  public init(_ kind: Kind, _ message: String, typeName: String? = nil) {
    self.kind = kind
    self.message = message
    self.typeName = typeName
  }

  /// The message.
  public var description: String { message }
}
