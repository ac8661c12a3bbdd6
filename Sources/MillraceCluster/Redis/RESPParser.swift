/// Makes answers of a server's bytes, however they are cut: no byte is looked at twice for long, and no number from outside
/// becomes memory before its data is there.
package struct RESPParser {
  package struct Problem: Error, Equatable, CustomStringConvertible {
    package let description: String
  }

  /// What a server sends at the most.
  package static let largestBulk = 512 << 20
  package static let deepest = 16
  /// Longer lines are none.
  package static let longestLine = 1 << 16

  private var bytes: [UInt8] = []
  /// Up to where they were read.
  private var at = 0
  /// Up to where no line's end was found.
  private var searched = 0
  /// Arrays that are not whole, the innermost last.
  private var open: [(left: Int, values: [RESPValue])] = []

  package init() {}

  package mutating func append(_ more: some Sequence<UInt8>) {
    if at > 1 << 16, at > bytes.count / 2 {
      bytes.removeFirst(at)
      searched = max(0, searched - at)
      at = 0
    }
    bytes += more
  }

  /// Whether nothing is left of an answer that is not whole.
  package var isEmpty: Bool { at == bytes.count && open.isEmpty }

  /// The next whole answer; nil: more bytes are needed. After an error nothing can be read any more.
  package mutating func next() throws(Problem) -> RESPValue? {
    while let value = try element() {
      guard var whole = Optional(value) else { return nil }
      while true {
        guard var array = open.popLast() else { return whole }
        array.values.append(whole)
        array.left -= 1
        if array.left > 0 {
          open.append(array)
          break
        }
        whole = .array(array.values)
      }
    }
    return nil
  }

  /// The next element that is no array with something in it, whose beginning is noted; nil: more bytes are needed.
  private mutating func element() throws(Problem) -> RESPValue? {
    while true {
      let start = at
      // Who speaks otherwise may never end its line.
      if at < bytes.count, !Self.kinds.contains(bytes[at]) {
        throw Problem(description: "an answer that begins with \(Self.shown(bytes[at...].prefix(24)))")
      }
      guard let line = try line() else { return nil }
      guard let kind = line.first else { return nil }
      let rest = line.dropFirst()
      switch kind {
      case UInt8(ascii: "+"): return .text(String(decoding: rest, as: UTF8.self))
      case UInt8(ascii: "-"): return .error(String(decoding: rest, as: UTF8.self))
      case UInt8(ascii: ":"): return .integer(try number(rest))
      case UInt8(ascii: "$"):
        let count = try number(rest)
        if count == -1 { return .null }
        guard count >= 0, count <= Self.largestBulk else { throw Problem(description: "a string of \(count) bytes") }
        guard bytes.count - at >= count + 2 else {
          (at, searched) = (start, start)
          return nil
        }
        let value = RESPValue.bytes(Array(bytes[at..<at + count]))
        guard bytes[at + count] == 13, bytes[at + count + 1] == 10 else {
          throw Problem(description: "a string that does not end where it should")
        }
        at += count + 2
        searched = at
        return value
      case UInt8(ascii: "*"):
        let count = try number(rest)
        if count == -1 { return .null }
        if count == 0 { return .array([]) }
        guard count > 0, count <= 1 << 30 else { throw Problem(description: "an array of \(count)") }
        guard open.count < Self.deepest else {
          throw Problem(description: "arrays in arrays, more than \(Self.deepest)")
        }
        open.append((count, []))
      default: return nil
      }
    }
  }

  /// The next line, without its end.
  private mutating func line() throws(Problem) -> ArraySlice<UInt8>? {
    var place = max(at, searched)
    while place + 1 < bytes.count {
      if bytes[place] == 13, bytes[place + 1] == 10 {
        let line = bytes[at..<place]
        at = place + 2
        searched = at
        return line
      }
      place += 1
    }
    searched = place
    guard place - at <= Self.longestLine else { throw Problem(description: "a line without an end") }
    return nil
  }

  private static let kinds = Array("+-:$*".utf8)

  /// What another server says of itself, on one line.
  private static func shown(_ bytes: ArraySlice<UInt8>) -> String {
    "\"\(String(decoding: bytes.map { (32..<127).contains($0) ? $0 : UInt8(ascii: " ") }, as: UTF8.self))\""
  }

  private func number(_ digits: ArraySlice<UInt8>) throws(Problem) -> Int {
    guard digits.count <= 20, let number = Int(String(decoding: digits, as: UTF8.self)) else {
      throw Problem(description: "a number that is none")
    }
    return number
  }
}
