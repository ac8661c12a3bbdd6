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

  package func encode(into bytes: inout [UInt8]) {
    bytes.reserveCapacity(bytes.count + words.reduce(16) { $0 + $1.count + 16 })
    bytes += "*\(words.count)\r\n".utf8
    for word in words {
      bytes += "$\(word.count)\r\n".utf8
      bytes += word
      bytes += [13, 10]
    }
  }

  /// Its name alone: what follows may be a password.
  package var name: String { words.first.map { String(decoding: $0, as: UTF8.self) } ?? "" }
}
