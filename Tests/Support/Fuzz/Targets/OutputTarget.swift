import MillraceIPC

/// What workers print.
///
/// Input: how much is read at once, then what is printed.
struct OutputTarget: FuzzTarget {
  let name = "output"
  private static let limit = 64

  func valid(_ random: inout FuzzRandom) -> [[UInt8]] {
    [[UInt8(1 + random.below(255))]] + (0..<random.below(20)).map { _ in Array(random.text(upTo: 90).utf8) }
  }

  func read(_ bytes: [UInt8]) throws {
    guard let size = bytes.first.map({ max(1, Int($0)) }) else { throw Refusal() }
    let printed = bytes.dropFirst()
    var relay = LineRelay(limit: Self.limit)
    var tail = TailBuffer(limit: Self.limit)
    var passed: [[UInt8]] = []
    var rest = printed
    while !rest.isEmpty {
      let piece = Array(rest.prefix(size))
      rest = rest.dropFirst(size)
      piece.withUnsafeBytes {
        tail.take($0)
        relay.take($0) { passed.append(Array($0)) }
      }
    }
    for piece in passed {
      try promise(
        piece.last == UInt8(ascii: "\n") || piece.count == Self.limit, "a line was torn after \(piece.count) bytes")
    }
    relay.finish { passed.append(Array($0)) }
    try promise(Array(passed.joined()) == Array(printed), "what was passed on is not what was printed")
    try promise(Array(tail.bytes) == Array(printed.suffix(Self.limit)), "the tail is not the end of what was printed")
    try promise(tail.totalBytes == printed.count && tail.text.utf8.count <= 3 * Self.limit, "a tail of another length")
  }
}
