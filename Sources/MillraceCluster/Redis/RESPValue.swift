/// What a Redis server answers, in the second version of its protocol.
package enum RESPValue: Sendable, Equatable {
  case text(String)
  case error(String)
  case integer(Int)
  case bytes([UInt8])
  case array([RESPValue])
  case null

  package var string: String? {
    switch self {
    case .text(let text): text
    case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
    default: nil
    }
  }

  package var bytes: [UInt8]? {
    switch self {
    case .bytes(let bytes): bytes
    case .text(let text): Array(text.utf8)
    default: nil
    }
  }

  package var integer: Int? {
    switch self {
    case .integer(let integer): integer
    case .text, .bytes: string.flatMap { Int($0) }
    default: nil
    }
  }

  /// Empty, if it is none.
  package var array: [RESPValue] {
    if case .array(let values) = self { values } else { [] }
  }
}

/// A command on its way: its words.
package struct RESPCommand: Sendable, ExpressibleByArrayLiteral {
  package private(set) var words: [[UInt8]]

  package init(arrayLiteral words: String...) { self.init(words) }
  package init(_ words: [String]) { self.words = words.map { Array($0.utf8) } }

  package mutating func add(_ word: String) { words.append(Array(word.utf8)) }
  package mutating func add(_ word: [UInt8]) { words.append(word) }

  /// As it is sent, piece by piece.
  package func encode(_ put: (UnsafeRawBufferPointer) -> Void) {
    func line(_ text: String) {
      var line = text + "\r\n"
      line.withUTF8 { put(UnsafeRawBufferPointer($0)) }
    }
    line("*\(words.count)")
    for word in words {
      line("$\(word.count)")
      word.withUnsafeBytes(put)
      line("")
    }
  }

  /// At least as many bytes as that is.
  package var room: Int { words.reduce(24) { $0 + $1.count + 24 } }

  /// Its name alone: what follows may be a password.
  package var name: String { words.first.map { String(decoding: $0, as: UTF8.self) } ?? "" }
}
