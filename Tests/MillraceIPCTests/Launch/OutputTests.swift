import MillraceIPC
import Testing

/// Lines and tails of workers' output.
struct OutputTests {
  private func relay(_ pieces: [[UInt8]], limit: Int = LineRelay.standardLimit) -> [[UInt8]] {
    var relay = LineRelay(limit: limit)
    var passed: [[UInt8]] = []
    for piece in pieces { piece.withUnsafeBytes { relay.take($0) { passed.append(Array($0)) } } }
    relay.finish { passed.append(Array($0)) }
    return passed
  }

  private func lines(_ pieces: String..., limit: Int = LineRelay.standardLimit) -> [String] {
    relay(pieces.map { Array($0.utf8) }, limit: limit).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func passesWholeLines() {
    #expect(lines() == [])
    #expect(lines("") == [])
    #expect(lines("a\n") == ["a\n"])
    #expect(lines("a", "b\n") == ["ab\n"])
    #expect(lines("a\nb\nc", "d\n\ne") == ["a\nb\n", "cd\n\n", "e"])
    #expect(lines("a", "\n", "\n") == ["a\n", "\n"])
  }

  @Test func passesLongLinesInPieces() {
    #expect(lines("abcdefgh\ni", limit: 4) == ["abcdefgh\n", "i"])
    #expect(lines("abcdefgh", "ij\nk", limit: 4) == ["abcd", "efgh", "ij\nk".prefix(3) + "", "k"])
    #expect(lines("abc", "de", "fgh", limit: 4) == ["abcd", "efgh"])
  }

  @Test func keepsEveryByteWhateverThePieces() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      let pieces = (0..<20).map { _ in
        (0..<Int.random(in: 0...9, using: &random)).map { _ in [UInt8(ascii: "\n"), 0xff, 0x41].randomElement()! }
      }
      let limit = Int.random(in: 1...12, using: &random)
      let passed = relay(pieces, limit: limit)
      #expect(passed.flatMap(\.self) == pieces.flatMap(\.self))
      // Every call but the last ends a line, or is a full piece of one.
      #expect(passed.dropLast().allSatisfy { $0.last == UInt8(ascii: "\n") || $0.count == limit })
    }
  }

  private func tail(_ pieces: [[UInt8]], limit: Int) -> TailBuffer {
    var tail = TailBuffer(limit: limit)
    for piece in pieces { piece.withUnsafeBytes { tail.take($0) } }
    return tail
  }

  @Test func keepsTheLastBytes() {
    for sizes in [[0], [3], [4], [5], [3, 3], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [9, 1], [1, 9], [4, 4, 1]] {
      var next: UInt8 = 0
      let pieces = sizes.map { size in
        (0..<size).map { _ in
          next += 1
          return next
        }
      }
      let tail = tail(pieces, limit: 4)
      #expect(Array(tail.bytes) == Array(pieces.flatMap(\.self).suffix(4)))
      #expect(tail.totalBytes == sizes.reduce(0, +))
      #expect(tail.isTruncated == (tail.totalBytes > 4))
    }
  }

  @Test func repairsText() {
    #expect(tail([Array("äöü".utf8)], limit: 5).text == "öü")
    #expect(tail([Array("äöü".utf8)], limit: 6).text == "äöü")
    #expect(tail([[0x61, 0xff, 0x62]], limit: 6).text == "a\u{fffd}b")
    #expect(tail([[0x80, 0x61]], limit: 6).text == "\u{fffd}a")
    #expect(tail([Array("x👍🏽".utf8)], limit: 5).text == "🏽")
  }
}
