import Foundation
import MillraceIPC
import Testing

/// Values that travel by their stored properties.
@Suite struct MemberwiseTests {
  struct Reading: Equatable {
    var number: Int
    var station: String
    var isValid: Bool
    var level: Float
    var note: String?
    var counts: [UInt16]
    var place = Place(name: "", height: 0)
  }

  struct Place: Codable, Equatable {
    var name: String
    var height: Double
  }

  /// Its `Codable` conformance leaves something out.
  struct Cached: Codable, MemberwiseTransport, Equatable {
    enum CodingKeys: CodingKey { case text }
    var text: String
    var length = 0
  }

  /// The same, without saying that it travels by its properties.
  struct Coded: Codable, Equatable {
    enum CodingKeys: CodingKey { case text }
    var text: String
    var length = 0
  }

  func bytes<V>(_ value: V) throws -> [UInt8] {
    var writer = ByteWriter()
    try Payload.coding(for: V.self).encode(value, into: &writer)
    return Array(writer.bytes)
  }

  func value<V>(_ type: V.Type = V.self, _ bytes: [UInt8]) throws -> V {
    try bytes.withUnsafeBytes { try Payload.coding(for: type).decode(from: $0) }
  }

  func sent<V>(_ value: V) throws -> V { try self.value(V.self, bytes(value)) }

  static let long = Reading(
    number: -1, station: String(repeating: "Mühle ", count: 100), isValid: true, level: .infinity, note: "",
    counts: [1, 2, 65_535], place: Place(name: "river", height: 3.5))
  static let short = Reading(number: .max, station: "", isValid: false, level: -0.5, note: nil, counts: [])

  @Test func structuresThatAreNotCodable() throws {
    for reading in [Self.long, Self.short] { #expect(try sent(reading) == reading) }
    #expect(try sent([Self.long, Self.short, Self.long]) == [Self.long, Self.short, Self.long])
    #expect(try sent([Reading]()) == [])
    #expect(try sent(Reading?.some(Self.long)) == Self.long)
    #expect(try sent(Reading?.none) == nil)
    #expect(try sent([Reading??.some(nil), .none, Self.short]) == [Reading??.some(nil), .none, Self.short])
  }

  @Test func tuples() throws {
    let (number, text, rest) = try sent((7, "seven", (x: [1.5, 2.5], y: Self.short)))
    #expect(number == 7 && text == "seven" && rest.x == [1.5, 2.5] && rest.y == Self.short)
    let pairs = try sent([("a", 1), ("", 2)])
    #expect(pairs.map(\.0) == ["a", ""] && pairs.map(\.1) == [1, 2])
    // What lies beside each other travels in one piece, without the gaps.
    #expect(try bytes((1, "ab", UInt8(5), UInt8(6))) == [1, 0, 0, 0, 0, 0, 0, 0, 2, 97, 98, 5, 6])
    #expect(try bytes((UInt8(5), 1, "")) == [5, 1, 0, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func propertiesOfAllKinds() throws {
    enum Colour: String, Codable { case red, green }
    struct Everything: Equatable {
      let text = "constant"
      var nothing: [Never] = []
      var colour: Colour?
      var colours: [String: Colour]
      var date: Date
      var data: Data
      var bytes: ContiguousArray<UInt8>
      var places: [Place]
      var url: URL
      lazy var length = text.utf8.count
    }
    var value = Everything(
      colour: .green, colours: ["a": .red, "b": .green], date: Date(timeIntervalSince1970: 5), data: Data([1, 2]),
      bytes: [3], places: [Place(name: "a", height: 1)],
      url: URL(string: "https://example.org/a?b")!)
    #expect(try sent(value) == value)
    _ = value.length
    #expect(try sent(value) == value)
  }

  @Test func whoSaysSoIsNotAskedHowToEncode() throws {
    let cached = Cached(text: "mill", length: 4)
    #expect(try sent(cached) == cached)
    #expect(try sent([cached, cached]) == [cached, cached])
    #expect(try sent(Coded(text: "mill", length: 4)) == Coded(text: "mill", length: 0))
    #expect(try sent((1, Coded(text: "mill", length: 4))).1 == Coded(text: "mill", length: 0))
  }

  /// Only `Codable` bounds how deep they lie in each other.
  @Test func valuesOfTheirOwnTypeInThem() throws {
    struct Tree: Codable, Equatable, MemberwiseTransport {
      var name: String
      var children: [Tree] = []
    }
    struct Bare { var name: String, children: [Bare] }
    struct Outer { var inner: [Inner] }
    struct Inner { var name: String, outer: [Outer] }
    let tree = Tree(name: "a", children: [Tree(name: "b", children: [Tree(name: "c")]), Tree(name: "d")])
    #expect(try sent(tree) == tree)
    #expect(
      obstacle(Bare.self).contains("property children, of type") && obstacle(Bare.self).contains("of its own type"))
    #expect(obstacle(Outer.self).contains("property inner.outer, of type"))
  }

  func obstacle<V>(_ type: V.Type) -> String {
    let error = #expect(throws: PayloadError.self) { try Payload.coding(for: type) }
    return error?.description ?? ""
  }

  @Test func whatCannotTravelIsNamed() throws {
    final class Lock {}
    final class CodableLock: Codable {}
    struct Weak { var name = "", lock = Other() }
    struct Other { weak var lock: CodableLock? }
    struct Unowned {
      unowned var lock: CodableLock
      var name: String
    }
    struct Closure { var name: String, run: () -> Void }
    struct Erased { var name: String, value: any Codable }
    struct Slice { var line: AnySequence<Int> }
    enum Choice: Codable, MemberwiseTransport, Equatable { case one(String), two }
    #expect(
      obstacle(Weak.self).contains("its property lock.lock, of type ")
        && obstacle(Weak.self).contains("is a class behind a weak or unowned reference"))
    #expect(obstacle(Unowned.self).contains("its property lock, of type "))
    #expect(obstacle((Int, Lock).self).contains("its property .1, of type "))
    // Nothing in a tuple is weak.
    #expect((try? Payload.coding(for: (Int, CodableLock?).self)) != nil)
    #expect((try? Payload.coding(for: (Int, [CodableLock]).self)) != nil)
    #expect(obstacle(Closure.self).contains("its property run, of type () -> (), is a function"))
    #expect(obstacle(Erased.self).contains("its property value, of type "))
    #expect(obstacle(Slice.self).contains("its property line, of type Swift.AnySequence<Swift.Int>, is not Codable"))
    #expect(obstacle([String: Lock].self).contains("cannot be sent to another process"))
    #expect(try sent(Choice.one("a")) == .one("a"))
  }

  @Test func wrongBytesThrowAndLeaveNothing() throws {
    let value = (Self.long, [("a", Self.short)], "end")
    let right = try bytes(value)
    func read(_ bytes: [UInt8]) throws { _ = try self.value((Reading, [(String, Reading)], String).self, bytes) }
    try read(right)
    for count in right.indices { #expect(throws: (any Error).self) { try read(Array(right[..<count])) } }
    #expect(throws: PayloadError.self) { try read(right + [0]) }
    #expect(throws: PayloadError.self) { try self.value(Reading?.self, [2]) }
    #expect(throws: PayloadError.self) { try self.value(Reading?.self, [0, 0]) }
    #expect(throws: PayloadError.self) {
      try self.value([(String, Int)].self, [255, 255, 255, 255, 255, 255, 255, 127])
    }
    #expect(throws: PayloadError.self) { try self.value([(String, Int)].self, [UInt8](repeating: 255, count: 9)) }
  }

  /// Counts itself.
  final class Counted: @unchecked Sendable, Codable {
    nonisolated(unsafe) static var count = 0
    init() { Self.count += 1 }
    init(from decoder: any Decoder) { Self.count += 1 }
    func encode(to encoder: any Encoder) throws {}
    deinit { Self.count -= 1 }
  }

  struct Holder: Codable { var counted = Counted() }

  @Test func whatWasMadeBeforeAnErrorIsFreed() throws {
    typealias Several = (Holder, Holder?, [(Int8, Holder)], String)
    let right = try bytes((Holder(), Holder(), [(1, Holder()), (2, Holder())], "end") as Several)
    #expect(Counted.count == 0)
    for count in right.indices {
      #expect(throws: (any Error).self) { try value(Several.self, Array(right[..<count])) }
      #expect(Counted.count == 0)
    }
    let made = try value(Several.self, right)
    #expect(Counted.count == 4 && made.3 == "end")
  }

  @Test func anErrorInAPropertyLeavesTheWriterAsItWas() throws {
    struct Refusing: Codable {
      struct Refusal: Error {}
      init() {}
      init(from decoder: any Decoder) throws { throw Refusal() }
      func encode(to encoder: any Encoder) throws { throw Refusal() }
      var text = ""
    }
    var writer = ByteWriter()
    writer.append(UInt8(9))
    #expect(throws: Refusing.Refusal.self) {
      try Payload.coding(for: (String, Refusing).self).encode(("text", Refusing()), into: &writer)
    }
    #expect(Array(writer.bytes) == [9])
  }
}
