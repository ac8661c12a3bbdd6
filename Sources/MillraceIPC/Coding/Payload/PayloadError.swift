/// Why a value cannot travel.
package enum PayloadError: Error, Equatable, CustomStringConvertible {
  /// Values of the type named cannot leave the process, nor come into it; because of one of its properties, if so said.
  case notTransportable(_ typeName: String, _ obstacle: String?)
  /// The bytes are no value of the type named.
  case malformed(_ typeName: String, byteCount: Int)

  package var description: String {
    switch self {
    case .notTransportable(let name, let obstacle):
      "Values of \(name) cannot be sent to another process\(obstacle.map { ": " + $0 } ?? ""). \(Self.advice(obstacle))"
    case .malformed(let name, let byteCount):
      "\(byteCount) bytes from another process are no \(name)."
    }
  }

  /// What is to be done about it. Nobody can make a protocol or a function Codable.
  private static func advice(_ obstacle: String?) -> String {
    let sorts: [TypeKind] = [.existential, .metatype, .function, .builtin]
    if let obstacle, sorts.contains(where: { $0.obstacle.map(obstacle.hasSuffix) == true }) {
      return """
        Send an enumeration with a case for each possibility, or a Codable structure, from which the other side makes it.
        """
    }
    return """
      Make the type Codable, or use one that can: numbers, String, Data, arrays, dictionaries and optionals of such, and \
      structures, tuples and enumerations of such.
      """
  }
}
