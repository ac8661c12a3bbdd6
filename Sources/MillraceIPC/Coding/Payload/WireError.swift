/// An error that comes in place of one of another process, with its texts.
package protocol ErrorStandIn: Error {
  var typeName: String { get }
  var message: String { get }
  init(typeName: String, message: String)
}

/// An error of a worker as it arrives at the parent: always its texts, and where possible the error itself.
///
/// The error itself arrives if it is `Codable` or a `TravellingError`, if it is an enum without payloads, or if it has no stored
/// properties at all.
package struct WireError: Error, CustomStringConvertible {
  package var typeName: String
  package var description: String
  /// The original error, rebuilt.
  package var value: (any Error)?

  /// The longest description that goes over, in bytes; a longer one is cut.
  package static let descriptionLimit = 1 << 16

  package init(typeName: String, description: String, value: (any Error)? = nil) {
    self.typeName = typeName
    self.description = description
    self.value = value
  }

  /// An error on its way out.
  package init(_ error: any Error) {
    if let error = error as? WireError {
      self = error
      return
    }
    // It has come from another process, and goes on as it came.
    if let error = error as? any ErrorStandIn {
      self.init(typeName: error.typeName, description: error.message)
      return
    }
    var text = String(describing: error)
    if text.utf8.count > Self.descriptionLimit {
      text = String(decoding: text.utf8.prefix(Self.descriptionLimit), as: UTF8.self) + "…"
    }
    self.init(typeName: readableTypeName(type(of: error)), description: text, value: error)
  }

  /// What the user sees: the original error, or what stands in for it.
  package func error(_ standIn: any ErrorStandIn.Type) -> any Error {
    value ?? standIn.init(typeName: typeName, message: description)
  }

  /// What goes over.
  private struct Envelope: Codable {
    var typeName: String
    var description: String
    /// A `TypeReference`.
    var type: [UInt8]?
    var bytes: [UInt8]?
    /// Whether `bytes` are the error's memory and not its encoding.
    var isBitwise = false
    /// Whether they are the form of a `TravellingError`.
    var isForm: Bool?
  }

  /// Appends the error.
  ///
  /// An error that cannot be encoded, or whose type another process cannot find, goes by its texts.
  package func encode(into writer: inout ByteWriter) throws {
    var envelope = Envelope(typeName: typeName, description: description)
    if let value, let reference = TypeReference(type(of: value)) {
      if let travelling = value as? any TravellingError {
        envelope.bytes = travelling.travelling
        envelope.isForm = true
      } else if let codable = value as? any (Codable & Error) {
        envelope.bytes = try? BinaryEncoder().encode(codable)
      } else {
        envelope.bytes = PlainError.bytes(of: value)
        envelope.isBitwise = true
      }
      if envelope.bytes != nil { envelope.type = reference.bytes }
    }
    try BinaryEncoder().encode(envelope, into: &writer)
  }

  /// Reads an error.
  ///
  /// One whose type cannot be found again, or whose value cannot be decoded, has its texts only.
  ///
  /// - Parameter findType: finds the type of a `TypeReference`'s bytes.
  package static func decode(
    from bytes: UnsafeRawBufferPointer,
    findType: ([UInt8]) -> Any.Type? = { TypeReference(bytes: $0).resolve() }
  ) throws -> WireError {
    let envelope = try BinaryDecoder().decode(Envelope.self, from: bytes)
    var error = WireError(typeName: envelope.typeName, description: envelope.description)
    if let reference = envelope.type, let bytes = envelope.bytes, let type = findType(reference) {
      if envelope.isForm == true {
        error.value = (type as? any TravellingError.Type).flatMap { $0.init(travelling: bytes) }
      } else if envelope.isBitwise {
        error.value = (type as? any Error.Type).flatMap { PlainError.error($0, bytes: bytes) }
      } else if let type = type as? any (Decodable & Error).Type {
        error.value = try? BinaryDecoder().decode(type, from: bytes)
      }
    }
    return error
  }
}

extension WireError: ErrorStandIn {
  package var message: String { description }

  package init(typeName: String, message: String) { self.init(typeName: typeName, description: message, value: nil) }
}
