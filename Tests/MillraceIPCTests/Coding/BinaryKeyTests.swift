import MillraceIPC
import Testing

/// Keys as the compiler makes them, whose names are written and compared without asking them; and containers that are used again.
@Suite struct BinaryKeyTests {
  struct Long: Codable, Equatable {
    var a = 1
    var seven77 = 2
    var eight888 = 3
    var fifteen15151515 = 4
    var sixteen161616161 = 5
    var aNameOfTwentyFiveLetters1 = 6
    var aNameThatIsNearlyTooLongForTheTableOfNamesIn64BytesButNotQuite = 7
    var aNameThatIsTooLongForTheTableOfNamesAndHasToBeAskedForEachTimeThatItIsUsed = 8
    var é = 9
    var last: Bool? = true
  }

  /// The same names from keys that are strings, in another order.
  struct Loose: Decodable {
    var values: [String: Int]

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: BinaryContainerTests.Key.self)
      values = [:]
      for key in container.allKeys.reversed() where key.stringValue != "last" {
        values[key.stringValue] = try container.decode(Int.self, forKey: key)
      }
    }
  }

  @Test func namesOfAllLengths() throws {
    try expectRoundTrip(Long())
    try expectRoundTrip((0..<20).map { Long(a: $0, é: -$0, last: $0 % 3 == 0 ? nil : $0 % 3 == 1) })
    let loose = try BinaryDecoder().decode(Loose.self, from: BinaryEncoder().encode(Long()))
    #expect(loose.values.values.sorted() == Array(1...9))
    #expect(loose.values["sixteen161616161"] == 5)
  }

  struct Numbered: Codable, Equatable {
    var one: String
    var minus: [Int]
    var huge: Double?

    enum CodingKeys: Int, CodingKey { case one = 1, minus = -5, huge = 1_000_000_000_000 }
  }

  /// The same numbers under other names, and in another order.
  struct Renamed: Codable, Equatable {
    var huge: Double?
    var minus: [Int]
    var one: String

    enum CodingKeys: Int, CodingKey { case c = 1_000_000_000_000, b = -5, a = 1 }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      huge = try container.decodeIfPresent(Double.self, forKey: .c)
      minus = try container.decode([Int].self, forKey: .b)
      one = try container.decode(String.self, forKey: .a)
    }

    func encode(to encoder: any Encoder) throws {}
  }

  @Test func keysWithNumbers() throws {
    let value = Numbered(one: "one", minus: [1, 2], huge: .infinity)
    try expectRoundTrip(value)
    try expectRoundTrip(Numbered(one: "", minus: [], huge: nil))
    let renamed = try BinaryDecoder().decode(Renamed.self, from: BinaryEncoder().encode(value))
    #expect(renamed.one == "one" && renamed.minus == [1, 2] && renamed.huge == .infinity)
  }

  struct Only: Codable, Equatable { var one: Int }

  @Test func theOnlyKey() throws {
    try expectRoundTrip(Only(one: 3))
    try expectRoundTrip((0..<9).map { Only(one: $0) })
  }

  struct Inner: Codable, Equatable {
    var a: Int?
    var b: Int?
  }

  struct Outer: Codable, Equatable {
    var inner: Inner
    var b: Int
    var c: Inner?
    var a: Inner
  }

  @Test func absentKeysAreNotLookedForBehindTheContainer() throws {
    try expectRoundTrip(Outer(inner: Inner(a: 1, b: nil), b: 2, c: nil, a: Inner(a: nil, b: nil)))
    try expectRoundTrip(Outer(inner: Inner(a: nil, b: nil), b: 2, c: Inner(a: nil, b: 5), a: Inner(a: 3, b: nil)))
  }

  enum Pair: CodingKey { case x, y }

  /// Two containers of the same keys and at the same depth, in turns, each holding more of them.
  struct Twins: Codable, Equatable {
    var left: [Int] = []
    var right: [Int] = []

    init(_ left: [Int], _ right: [Int]) {
      self.left = left
      self.right = right
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Pair.self)
      let again = try decoder.container(keyedBy: Pair.self)
      let x = try container.nestedContainer(keyedBy: Pair.self, forKey: .x)
      let y = try again.nestedContainer(keyedBy: Pair.self, forKey: .y)
      for key in [Pair.y, .x, .x, .y] {
        left.append(try x.decode(Int.self, forKey: key))
        right.append(try y.decode(Int.self, forKey: key))
      }
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Pair.self)
      var again = encoder.container(keyedBy: Pair.self)
      var y = container.nestedContainer(keyedBy: Pair.self, forKey: .y)
      var x = again.nestedContainer(keyedBy: Pair.self, forKey: .x)
      try x.encode(left[1], forKey: .x)
      try y.encode(right[1], forKey: .x)
      try x.encode(left[0], forKey: .y)
      try y.encode(right[0], forKey: .y)
    }
  }

  @Test func containersOfTheSameKeysInTurns() throws {
    try expectRoundTrip(Twins([1, 2, 2, 1], [3, 4, 4, 3]))
    try expectRoundTrip((0..<50).map { Twins([$0, 2, 2, $0], [3, $0, $0, 3]) })
  }

  /// Keeps its containers beyond its end.
  final class Keeper: Codable {
    nonisolated(unsafe) static var writers: [KeyedEncodingContainer<Pair>] = []
    nonisolated(unsafe) static var readers: [KeyedDecodingContainer<Pair>] = []
    var x = 7

    init() {}

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Pair.self)
      x = try container.decode(Int.self, forKey: .x)
      Self.readers.append(container)
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Pair.self)
      try container.encode(x, forKey: .x)
      Self.writers.append(container)
    }
  }

  @Test func containersThatAreKeptAreOfNoUse() throws {
    defer {
      Keeper.writers = []
      Keeper.readers = []
    }
    for _ in 0..<40 {
      // Each round has coders of its own, which the containers outlive.
      let coding = try Payload.coding(for: [Keeper].self)
      var writer = ByteWriter()
      try coding.encode([Keeper(), Keeper(), Keeper()], into: &writer)
      #expect(try coding.decode(from: writer.bytes).map(\.x) == [7, 7, 7])
      if Keeper.writers.count > 90 {
        Keeper.writers.removeFirst(60)
        Keeper.readers.removeFirst(60)
      }
    }
    #expect(Keeper.writers.count > 30 && Keeper.readers.count > 30)
    for var container in Keeper.writers {
      #expect(throws: EncodingError.self) { try container.encode(1, forKey: .y) }
      #expect(container.codingPath.isEmpty)
      var nested = container.nestedContainer(keyedBy: Pair.self, forKey: .x)
      #expect(throws: EncodingError.self) { try nested.encode(1, forKey: .y) }
    }
    for container in Keeper.readers {
      #expect(throws: (any Error).self) { try container.decode(Int.self, forKey: .x) }
      #expect(throws: (any Error).self) { try container.nestedContainer(keyedBy: Pair.self, forKey: .x) }
      #expect(!container.contains(.y))
    }
  }
}
