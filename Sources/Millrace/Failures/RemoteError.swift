import MillraceIPC

/// An error thrown in a worker process that could not come back itself, for its type is not `Codable`: its type and text did.
public struct RemoteError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The name of the error's type, with its module.
  public var typeName: String
  /// The error's description.
  public var message: String

  /// Creates an error from a type's name and a text.
  public init(typeName: String, message: String) {
    self.typeName = typeName
    self.message = message
  }

  /// The error's text.
  public var description: String { message }
}

extension RemoteError: ErrorStandIn {}
