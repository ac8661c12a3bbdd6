import MillraceIPC
import Testing

@Suite struct BinaryScalarTests {
  @Test func integersOfAllWidthsAtTheirEdges() throws {
    func check<I: FixedWidthInteger & Codable>(_: I.Type) throws {
      var values: [I] = [0, 1, 127, I.min, I.max, I.max - 1, I.min + 1]
      for shift in 0..<I.bitWidth { values += [1 << shift, (1 << shift) &- 1, 0 &- (1 << shift)] }
      for value in values { #expect(try roundTrip(value) == value) }
      #expect(try roundTrip(values) == values)
      try expectRoundTrip(values.last!)
    }
    try check(Int.self)
    try check(Int8.self)
    try check(Int16.self)
    try check(Int32.self)
    try check(Int64.self)
    try check(Int128.self)
    try check(UInt.self)
    try check(UInt8.self)
    try check(UInt16.self)
    try check(UInt32.self)
    try check(UInt64.self)
    try check(UInt128.self)
  }

  @Test func integersMayBeReadInAnotherWidthIfTheyFit() throws {
    let bytes = try BinaryEncoder().encode(UInt64(300))
    #expect(try BinaryDecoder().decode(Int16.self, from: bytes) == 300)
    #expect(try BinaryDecoder().decode(Int128.self, from: bytes) == 300)
    #expect(try BinaryDecoder().decode(Double.self, from: bytes) == 300)
    #expect(throws: DecodingError.self) { try BinaryDecoder().decode(UInt8.self, from: bytes) }
    let negative = try BinaryEncoder().encode(-1)
    #expect(throws: DecodingError.self) { try BinaryDecoder().decode(UInt.self, from: negative) }
  }

  @Test func floatingPointIsBitExact() throws {
    let doubles: [Double] = [
      0, -0.0, 1.5, .pi, .infinity, -.infinity, .nan, .signalingNaN, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
      Double(nan: 0x1234, signaling: false),
    ]
    for value in doubles {
      #expect(try roundTrip(value).bitPattern == value.bitPattern)
      #expect(try roundTrip([value])[0].bitPattern == value.bitPattern)
      #expect(try roundTrip(["x": value])["x"]?.bitPattern == value.bitPattern)
      let float = Float(value)
      #expect(try roundTrip(float).bitPattern == float.bitPattern)
    }
    #expect(try BinaryDecoder().decode(Double.self, from: BinaryEncoder().encode(Float(1.5))) == 1.5)
    #expect(try BinaryDecoder().decode(Float.self, from: BinaryEncoder().encode(1.5)) == 1.5)
    #expect(throws: DecodingError.self) { try BinaryDecoder().decode(Float.self, from: BinaryEncoder().encode(0.1)) }
  }

  @Test func stringsOfAllLengths() throws {
    for length in [0, 1, 14, 15, 16, 62, 63, 64, 65, 127, 128, 255, 256, 257, 20_000] {
      try expectRoundTrip(String(repeating: "a", count: length))
      try expectRoundTrip(String(repeating: "水", count: length))
    }
    try expectRoundTrip("e\u{301}\u{0}👩‍👩‍👧")
    let substring = "before the word after".dropFirst(7).dropLast(6)
    #expect(try roundTrip(String(substring)) == "the word")
  }

  @Test func stringsThatAreNotUTF8AreRefused() throws {
    for length in [3, 40, 300] {
      var bytes = try BinaryEncoder().encode(String(repeating: "x", count: length))
      bytes[bytes.count - 2] = 0xFF
      #expect(throws: DecodingError.self) { try BinaryDecoder().decode(String.self, from: bytes) }
    }
    // An overlong form whose repair would have just as many bytes.
    var bytes = try BinaryEncoder().encode("abc")
    bytes.replaceSubrange(1...3, with: [0xF0, 0x9F, 0x98])
    #expect(throws: DecodingError.self) { try BinaryDecoder().decode(String.self, from: bytes) }
  }

  @Test func booleans() throws {
    try expectRoundTrip(true)
    try expectRoundTrip(false)
    try expectRoundTrip([true, false, true])
  }

  @Test func blocksOfScalars() throws {
    var dice = Dice(state: 1)
    for count in [0, 1, 2, 3, 63, 64, 1000] {
      try expectRoundTrip((0..<count).map { _ in Int.random(in: .min ... .max, using: &dice) })
      try expectRoundTrip((0..<count).map { _ in UInt8.random(in: 0...255, using: &dice) })
      try expectRoundTrip((0..<count).map { _ in Double.random(in: -1...1, using: &dice) })
      try expectRoundTrip(ContiguousArray((0..<count).map { _ in Int16.random(in: -9...9, using: &dice) }))
    }
    // A block is one block: a tag, the elements' tag, a length, the elements.
    #expect(try BinaryEncoder().encode([1, 2, 3]).count == 3 + 24)
  }

  @Test func blocksAndListsAreTheSameToTheReader() throws {
    struct Wrapped: Codable, Equatable, Hashable {
      var raw: Int
      init(_ raw: Int) { self.raw = raw }
      init(from decoder: any Decoder) throws { raw = try decoder.singleValueContainer().decode(Int.self) }
      func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(raw)
      }
    }
    let block = try BinaryEncoder().encode([1, -200, 70_000])
    #expect(try BinaryDecoder().decode(Set<Int>.self, from: block) == [1, -200, 70_000])
    #expect(try BinaryDecoder().decode([Int32].self, from: block) == [1, -200, 70_000])
    #expect(try BinaryDecoder().decode([Int?].self, from: block) == [1, -200, 70_000])
    #expect(try BinaryDecoder().decode([Double].self, from: block) == [1, -200, 70_000])
    #expect(try BinaryDecoder().decode([Wrapped].self, from: block) == [1, -200, 70_000].map(Wrapped.init))
    let list = try BinaryEncoder().encode([1, -200, 70_000].map(Wrapped.init))
    #expect(try BinaryDecoder().decode([Int].self, from: list) == [1, -200, 70_000])
    let error = #expect(throws: DecodingError.self) { try BinaryDecoder().decode([UInt8].self, from: block) }
    guard case .dataCorrupted(let context) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(context.codingPath.map(\.intValue) == [1])
  }
}
