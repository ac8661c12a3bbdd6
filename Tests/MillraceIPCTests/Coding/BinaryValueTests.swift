import Foundation
import MillraceIPC
import Testing

@Suite struct BinaryValueTests {
  enum Shape: Codable, Equatable {
    case point
    case circle(radius: Double)
    case polygon([Int], closed: Bool)
    indirect case group(Shape, Shape)
  }

  enum Suit: String, Codable, CodingKeyRepresentable { case hearts, spades }

  struct Five: Codable, Equatable {
    var id: Int
    var weight: Double
    var name: String
    var flag: Bool
    var list: [Int]
  }

  @Test func structs() throws {
    try expectRoundTrip(Five(id: -7, weight: .infinity, name: "twelve chars", flag: true, list: [1, 2, 3, 4]))
  }

  @Test func enumsWithPayloads() throws {
    try expectRoundTrip(Shape.point)
    try expectRoundTrip(Shape.circle(radius: -0.5))
    try expectRoundTrip(Shape.group(.group(.point, .polygon([1, 2], closed: true)), .circle(radius: 2)))
  }

  @Test func dictionaries() throws {
    try expectRoundTrip(["a": 1, "b": 2, "": 3])
    try expectRoundTrip([1: "one", -2: "minus two"])
    try expectRoundTrip([UUID(): [1.5], UUID(): []])
    try expectRoundTrip([[1, 2]: Shape.point, []: .circle(radius: 1)])
    try expectRoundTrip([Suit.hearts: 1, .spades: 2])
    try expectRoundTrip([true: "yes", false: "no"])
    try expectRoundTrip([Int?.none: 1, 5: 2])
  }

  @Test func optionalsOfOptionals() throws {
    try expectRoundTrip(Int?.none)
    try expectRoundTrip(Int?.some(1))
    for value: String?? in [nil, .some(nil), "text"] { try expectRoundTrip(value) }
    for value: [Int]??? in [nil, .some(nil), .some(.some(nil)), [1]] { try expectRoundTrip(value) }
    for value: Shape?? in [nil, .some(nil), .some(.some(.point))] { try expectRoundTrip([value, value, nil]) }

    // The same written and read by hand, and by types that think otherwise.
    struct Outer: Codable, Equatable {
      var a: String??
      var b: String??
      var c: String??
    }
    try expectRoundTrip(Outer(a: nil, b: .some(nil), c: "x"))
    struct Inner: Codable, Equatable {
      var a: String?
      var b: String?
      var c: String?
    }
    let bytes = try BinaryEncoder().encode(Outer(a: nil, b: .some(nil), c: "x"))
    #expect(try BinaryDecoder().decode(Inner.self, from: bytes) == Inner(a: nil, b: nil, c: "x"))
  }

  @Test func nilWhereAValueIsNeeded() throws {
    let error = #expect(throws: DecodingError.self) {
      try BinaryDecoder().decode([String: String].self, from: BinaryEncoder().encode(["a": String?.none]))
    }
    guard case .valueNotFound(_, let context) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(context.codingPath.map(\.stringValue) == ["a"])
  }

  class Animal: Codable {
    var name: String
    init(name: String) { self.name = name }
  }

  /// Its superclass is in a container of its own.
  final class Dog: Animal {
    var age: Int
    enum CodingKeys: CodingKey { case age }
    init(name: String, age: Int) {
      self.age = age
      super.init(name: name)
    }
    required init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      age = try container.decode(Int.self, forKey: .age)
      try super.init(from: container.superDecoder())
    }
    override func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try super.encode(to: container.superEncoder())
      try container.encode(age, forKey: .age)
    }
  }

  /// It shares one container with its superclass.
  final class Cat: Animal {
    var lives: Int
    enum CodingKeys: CodingKey { case lives }
    init(name: String, lives: Int) {
      self.lives = lives
      super.init(name: name)
    }
    required init(from decoder: any Decoder) throws {
      lives = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .lives)
      try super.init(from: decoder)
    }
    override func encode(to encoder: any Encoder) throws {
      try super.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(lives, forKey: .lives)
    }
  }

  @Test func classesWithInheritance() throws {
    let dogs = try roundTrip([Dog(name: "Rex", age: 4), Dog(name: "Laika", age: 3)])
    #expect(dogs.map(\.name) == ["Rex", "Laika"])
    #expect(dogs.map(\.age) == [4, 3])
    let cats = try roundTrip(["a": Cat(name: "Tom", lives: 9)])
    #expect(cats["a"]?.name == "Tom")
    #expect(cats["a"]?.lives == 9)
  }

  @Test func foundationTypes() throws {
    for text in ["0", "3.14159", "-1e-120", "99999999999999999999999999999999999999"] {
      try expectRoundTrip(try #require(Decimal(string: text)))
    }
    #expect(try roundTrip(Decimal.nan).isNaN)
    try expectRoundTrip(Date(timeIntervalSinceReferenceDate: 123_456_789.123_456_7))
    try expectRoundTrip(Date.distantPast)
    try expectRoundTrip(try #require(URL(string: "https://example.org/a%20b?q=1#f")))
    try expectRoundTrip(URL(fileURLWithPath: "/tmp/x y"))
    try expectRoundTrip(UUID())
    try expectRoundTrip(DateComponents(calendar: Calendar(identifier: .gregorian), year: 2026, month: 2))
    try expectRoundTrip(CGRect(x: 1, y: 2, width: 3, height: 4))
    try expectRoundTrip(IndexSet([1, 2, 3, 9]))
    try expectRoundTrip(Locale(identifier: "de_AT"))
  }

  @Test func dataIsABlock() throws {
    for count in [0, 1, 14, 15, 100, 70_000] {
      let data = Data((0..<count).map { UInt8(truncatingIfNeeded: $0) })
      try expectRoundTrip(data)
      #expect(try BinaryEncoder().encode(data).count <= count + 5)
      #expect(try roundTrip(data.dropFirst(count / 2)) == Data(data.dropFirst(count / 2)))
    }
    #expect(try BinaryDecoder().decode([UInt8].self, from: BinaryEncoder().encode(Data([1, 2]))) == [1, 2])
    #expect(try BinaryDecoder().decode(Data.self, from: BinaryEncoder().encode([UInt8](1...3))) == Data([1, 2, 3]))
    // Element by element, as other types may write it.
    #expect(try BinaryDecoder().decode(Data.self, from: BinaryEncoder().encode(Set<UInt8>([7]))) == Data([7]))
  }

  @Test func ownCollectionsOfBytesKeepTheirOtherProperties() throws {
    struct Packet: RangeReplaceableCollection, Codable, Equatable {
      var bytes: [UInt8] = []
      var header = 0
      var startIndex: Int { 0 }
      var endIndex: Int { bytes.count }
      subscript(position: Int) -> UInt8 { bytes[position] }
      func index(after i: Int) -> Int { i + 1 }
      mutating func replaceSubrange(_ range: Range<Int>, with new: some Collection<UInt8>) {
        bytes.replaceSubrange(range, with: new)
      }
    }
    var packet = Packet()
    packet.bytes = [1, 2, 3]
    packet.header = 9
    try expectRoundTrip(packet)
  }

  /// A tree with all kinds of values, random but the same in every run.
  indirect enum Tree: Codable, Equatable {
    case none
    case number(Int64)
    case big(UInt128)
    case real(Double)
    case text(String)
    case flags([Bool])
    case numbers([Int32])
    case data(Data)
    case maybe(Tree?)
    case list([Tree])
    case named([String: Tree])
    case numbered([Int: Tree])
    case pair(left: Tree, right: Tree)

    init(_ dice: inout Dice, depth: Int) {
      switch Int.random(in: 0..<(depth > 0 ? 13 : 8), using: &dice) {
      case 0: self = .none
      case 1: self = .number(Int64(bitPattern: dice.next() >> UInt64.random(in: 0..<64, using: &dice)))
      case 2: self = .big(UInt128(dice.next()) << UInt128.random(in: 0..<64, using: &dice))
      case 3: self = .real(Double(Int64(bitPattern: dice.next())))
      case 4:
        let count = Int.random(in: 0..<80, using: &dice)
        self = .text(String((0..<count).map { _ in "aé水👍z".randomElement(using: &dice)! }))
      case 5: self = .flags((0..<5).map { _ in Bool.random(using: &dice) })
      case 6: self = .numbers((0..<7).map { _ in Int32(truncatingIfNeeded: dice.next()) })
      case 7: self = .data(Data((0..<9).map { _ in UInt8(truncatingIfNeeded: dice.next()) }))
      case 8: self = .maybe(Bool.random(using: &dice) ? nil : Tree(&dice, depth: depth - 1))
      case 9: self = .list((0..<4).map { _ in Tree(&dice, depth: depth - 1) })
      case 10: self = .named(["a": Tree(&dice, depth: depth - 1), "": Tree(&dice, depth: depth - 1)])
      case 11: self = .numbered([-1: Tree(&dice, depth: depth - 1), 1 << 40: Tree(&dice, depth: depth - 1)])
      default: self = .pair(left: Tree(&dice, depth: depth - 1), right: Tree(&dice, depth: depth - 1))
      }
    }
  }

  @Test func randomTrees() throws {
    var dice = Dice(state: 3)
    let encoder = BinaryEncoder()
    let decoder = BinaryDecoder()
    for _ in 0..<2000 {
      let tree = Tree(&dice, depth: 6)
      #expect(try decoder.decode(Tree.self, from: encoder.encode(tree)) == tree)
    }
  }

  @Test func oneCoderServesManyThreads() async throws {
    let encoder = BinaryEncoder()
    let decoder = BinaryDecoder()
    await withTaskGroup { group in
      for seed in 0..<8 {
        group.addTask {
          var dice = Dice(state: UInt64(seed))
          for _ in 0..<200 {
            let tree = Tree(&dice, depth: 4)
            #expect((try? decoder.decode(Tree.self, from: encoder.encode(tree))) == tree)
          }
        }
      }
    }
  }
}
