import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Whom a client of `rediss://` trusts, and who it says it is. A part is the name of a file, or, when it was read, what stood in it: agents
/// on other machines do not have the file.
package struct RedisTLS: Sendable, Equatable {
  /// Whose signatures count, as PEM; nil: those that the system trusts.
  package var authorities: String?
  /// The client's own certificate, and its key, as PEM: for servers that want one.
  package var certificate: String?
  package var key: String?
  /// Whether the server's certificate is looked at: who has signed it, for which name, and until when.
  package var verifies = true

  package init() {}

  /// Together they travel to agents through a pipe, with everything else.
  static let largest = 32 << 10

  /// The parts by their names, in a URL as in settings.
  private static let parts: [(name: String, path: any WritableKeyPath<RedisTLS, String?> & Sendable)] = [
    ("ca", \.authorities), ("cert", \.certificate), ("key", \.key),
  ]

  /// Sets the part of this name.
  ///
  /// - Returns: false, if there is none, or it cannot have this value.
  package mutating func set(_ name: String, _ value: String) -> Bool {
    if name == "verify" {
      verifies = value != "none"
      return value == "none" || value == "full"
    }
    guard let part = Self.parts.first(where: { $0.name == name }), !value.isEmpty else { return false }
    self[keyPath: part.path] = value
    return true
  }

  /// In lines of settings. What was read is in one line: PEM has no backslashes of its own.
  static var names: [String] { parts.map(\.name) + ["verify"] }

  var fields: [(String, String)] {
    let parts = Self.parts.compactMap { part in
      self[keyPath: part.path].map { (part.name, $0.split(whereSeparator: \.isNewline).joined(separator: "\\n")) }
    }
    return verifies ? parts : parts + [("verify", "none")]
  }

  package init(_ fields: Fields) throws(EngineError) {
    for name in Self.names {
      guard let value = fields[name] else { continue }
      guard set(name, value.replacing("\\n", with: "\n")) else { throw .address("one with another \(name)=") }
    }
  }

  private static func isPEM(_ text: String) -> Bool { text.contains("-----BEGIN ") }

  /// With what the files say in the place of their names.
  package func read() throws(EngineError) -> RedisTLS {
    guard (certificate == nil) == (key == nil) else { throw .address("one with both of cert= and key=, or neither") }
    var result = self
    var size = 0
    for part in Self.parts {
      guard let value = self[keyPath: part.path] else { continue }
      let text = Self.isPEM(value) ? value : try Self.text(ofFile: value, part.name)
      guard Self.isPEM(text) else { throw .address("one whose \(part.name)= is a file of PEM, which \(value) is not") }
      result[keyPath: part.path] = text
      size += text.utf8.count
    }
    guard size <= Self.largest else {
      throw .address("one whose ca=, cert= and key= are \(Self.largest >> 10) KiB together: name only who has signed")
    }
    return result
  }

  private static func text(ofFile name: String, _ part: String) throws(EngineError) -> String {
    let file = open(name, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw .address("one whose \(part)= can be read: \(SystemError("open \(name)", errno))") }
    defer { close(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4_096)
    while bytes.count <= largest {
      let count = LibC.read(file, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { break }
      bytes += piece[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
