import MillraceTesting
import Testing

@testable import MillraceCluster

@Suite struct RESPParserTests {
  private static let answers: [(String, RESPValue)] = [
    ("+OK\r\n", .text("OK")), ("-ERR no\r\n", .error("ERR no")), (":-17\r\n", .integer(-17)),
    ("$5\r\nab\r\nc\r\n", .bytes(Array("ab\r\nc".utf8))), ("$0\r\n\r\n", .bytes([])), ("$-1\r\n", .null),
    ("*-1\r\n", .null),
    ("*0\r\n", .array([])),
    (
      "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n*0\r\n$-1\r\n",
      .array([.integer(1), .array([.bytes([120]), .array([])]), .null])
    ),
  ]

  @Test("answers, however they are cut")
  func cuts() throws {
    let bytes = Array(Self.answers.map(\.0).joined().utf8)
    for size in 1...bytes.count {
      var parser = RESPParser()
      var found: [RESPValue] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        parser.append(bytes[start..<min(bytes.count, start + size)])
        while let value = try parser.next() { found.append(value) }
      }
      #expect(found == Self.answers.map(\.1), "in pieces of \(size)")
      #expect(parser.isEmpty)
    }
  }

  @Test(
    "what is no answer is refused",
    arguments: [
      "hello\r\n", "\r\n", "$-2\r\n", "$x\r\n", "$99999999999\r\n", "$1\r\nab\r\n", "*-2\r\n", "*2x\r\n", ":\r\n",
      String(repeating: "*1\r\n", count: 17), "+" + String(repeating: "x", count: 70_000),
    ])
  func refusals(_ text: String) {
    var parser = RESPParser()
    parser.append(text.utf8)
    #expect(throws: RESPParser.Problem.self) { while try parser.next() != nil {} }
  }

  @Test("a number from outside is no memory")
  func hugeArray() throws {
    var parser = RESPParser()
    parser.append("*1073741824\r\n:1\r\n".utf8)
    #expect(try parser.next() == nil)
  }

  @Test("spoiled bytes end in an answer, an error, or a wait for more")
  func spoiled() {
    var random = SimulatedRandom(seed: 18)
    let whole = Array(Self.answers.map(\.0).joined().utf8)
    for _ in 0..<5_000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
        case 1: bytes.remove(at: place)
        default: bytes.insert(UInt8(ascii: "9"), at: place)
        }
      }
      var parser = RESPParser()
      var count = 0
      while !bytes.isEmpty {
        let piece = Int.random(in: 1...bytes.count, using: &random)
        parser.append(bytes[..<piece])
        bytes.removeFirst(piece)
        do { while try parser.next() != nil { count += 1 } } catch { break }
      }
      #expect(count <= whole.count)
    }
  }

  @Test("a command is its words, whatever is in them")
  func commands() throws {
    var command: RESPCommand = ["SET", "a b"]
    command.add([13, 10, 0])
    var bytes: [UInt8] = []
    command.encode { bytes += $0 }
    #expect(command.room >= bytes.count)
    var parser = RESPParser()
    parser.append(bytes)
    #expect(try parser.next() == .array([.bytes(Array("SET".utf8)), .bytes(Array("a b".utf8)), .bytes([13, 10, 0])]))
  }
}
