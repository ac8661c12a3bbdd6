/// Why a value cannot travel.
package enum PayloadError: Error, Equatable, CustomStringConvertible {
  /// Values of the type named cannot leave the process, nor come into it.
  case notTransportable(_ typeName: String)
  /// The bytes are no value of the type named.
  case malformed(_ typeName: String, byteCount: Int)

  package var description: String {
    switch self {
    case .notTransportable(let name):
      """
      Values of \(name) cannot be sent to another process. Make the type Codable, or use a type that is: \
      numbers, String, Data, arrays, dictionaries and optionals of such, and structs without references.
      """
    case .malformed(let name, let byteCount):
      "\(byteCount) bytes from another process are no \(name)."
    }
  }
}
