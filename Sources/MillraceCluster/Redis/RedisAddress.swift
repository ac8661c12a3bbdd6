/// Where a Redis server is, and how it is entered: `redis://user:password@host:port/database`; with TLS,
/// `rediss://…/database?ca=/path/to/ca.pem` (``RedisTLS``).
package struct RedisAddress: Sendable, Equatable {
  package var host = "127.0.0.1"
  package var port = 6379
  package var user: String?
  package var password: String?
  package var database = 0
  package var isSecure = false
  /// Counts for those that are secure.
  package var tls = RedisTLS()

  package init() {}

  /// - Throws: ``EngineError/address(_:)`` with what the wrong part has to be, never with the password.
  package init(_ text: String) throws(EngineError) {
    guard let colon = text.firstRange(of: "://") else {
      throw .address("a URL, as redis://host:port")
    }
    switch text[..<colon.lowerBound] {
    case "redis": isSecure = false
    case "rediss": isSecure = true
    default: throw .address("one whose scheme is redis, or rediss for TLS, as redis://host:port")
    }
    var rest = text[colon.upperBound...]
    if let at = rest.lastIndex(of: "@") {
      let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 {
        user = parts[0].isEmpty ? nil : try Self.plain(parts[0])
        password = try Self.plain(parts[1])
      } else {
        password = try Self.plain(parts[0])
      }
      rest = rest[rest.index(after: at)...]
    }
    if let question = rest.firstIndex(of: "?") {
      try takeParts(rest[rest.index(after: question)...])
      rest = rest[..<question]
    }
    guard !rest.contains("#") else {
      throw .address("one without a # behind its host, as redis://host:6379/0: what stands behind a # is no part of it")
    }
    if let slash = rest.firstIndex(of: "/") {
      let number = rest[rest.index(after: slash)...]
      if !number.isEmpty {
        guard let database = Int(number), database >= 0 else {
          throw .address("one whose database is a number, as redis://host:port/0")
        }
        self.database = database
      }
      rest = rest[..<slash]
    }
    if rest.first == "[", let end = rest.firstIndex(of: "]") {
      host = String(rest[rest.index(after: rest.startIndex)..<end])
      rest = rest[rest.index(after: end)...]
    } else {
      guard rest.first != "[", rest.count(where: { $0 == ":" }) < 2 else {
        throw .address("one whose IPv6 address stands in brackets, as redis://[::1]:6379")
      }
      let end = rest.firstIndex(of: ":") ?? rest.endIndex
      if end > rest.startIndex { host = String(rest[..<end]) }
      rest = rest[end...]
    }
    guard let first = rest.first else { return }
    guard first == ":", let port = Int(rest.dropFirst()), (1...65_535).contains(port) else {
      throw .address("one whose port is 1 to 65535, as redis://host:6379")
    }
    self.port = port
  }

  /// What stands behind the question mark.
  private mutating func takeParts(_ text: Substring) throws(EngineError) {
    for part in text.split(separator: "&") {
      let words = part.split(separator: "=", maxSplits: 1)
      let name = words.first.map(String.init) ?? ""
      if AgentSettings.names.contains(name) {
        throw .address("one without \(name)=, which is said to agents in theirs, and here beside the address")
      }
      guard RedisTLS.names.contains(name) else {
        let names = RedisTLS.names.map { $0 + "=" }.joined(separator: ", ")
        throw .address("one with \(names) behind the ?, and nothing else")
      }
      guard isSecure else { throw .address("one whose scheme is rediss, where \(words.first ?? "?") is said") }
      guard words.count == 2, tls.set(String(words[0]), try Self.plain(words[1])) else {
        throw .address("one with ca=, cert=, key= and verify=full or verify=none behind the ?, and nothing else")
      }
    }
  }

  /// Without `%40` and the like.
  private static func plain(_ text: Substring) throws(EngineError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
        throw .address("one in whose user and password a % is written as %25")
      }
      rest = rest.dropFirst(2)
      bytes.append(value)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// As ``plain(_:)`` reads it.
  private static func escaped(_ text: String) -> String {
    text.utf8.map { byte in
      let scalar = UnicodeScalar(byte)
      let isPlain = byte < 128 && (Character(scalar).isLetter || Character(scalar).isNumber)
      return isPlain ? String(Character(scalar)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }

  /// As a URL with all of it, never for a log.
  package var wholeURL: String {
    let parts = tls.fields.map { "\($0)=\(Self.escaped($1))" }
    return parts.isEmpty ? url : "\(url)?\(parts.joined(separator: "&"))"
  }

  /// As a URL, password and all, but without ``tls``: for agents, never for a log.
  package var url: String {
    let entry = password.map { "\(Self.escaped(user ?? "")):\(Self.escaped($0))@" } ?? ""
    return "\(isSecure ? "rediss" : "redis")://\(entry)\(place)/\(database)"
  }

  /// The host and the port.
  package var place: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}

extension RedisAddress {
  /// What may be shown of a text that is no address: whatever may be a password is left out.
  package static func masked(_ text: String) -> String {
    let colon = text.firstRange(of: "://")
    let scheme = text[..<(colon?.upperBound ?? text.startIndex)]
    let rest = text[scheme.endIndex...]
    if let at = rest.lastIndex(of: "@") { return "\(scheme)…\(rest[at...])" }
    let parts = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return text }
    // Somebody may have forgotten the host.
    let isPort = parts[1].prefix { $0 != "/" }.allSatisfy { $0.isASCII && $0.isNumber }
    return "\(scheme)\(parts[0]):\(isPort && !parts[0].isEmpty ? parts[1] : "…")"
  }
}

extension EngineError {
  /// What would have been right, for an option.
  var allowed: String { if case .address(let what) = self { what } else { "\(self)" } }
}

extension RedisAddress: CustomStringConvertible {
  /// Without the password.
  package var description: String { "\(isSecure ? "rediss" : "redis")://\(place)/\(database)" }
}
