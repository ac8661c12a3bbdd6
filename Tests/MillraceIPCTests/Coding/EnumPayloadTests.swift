import Foundation
import MillraceIPC
import Testing

private struct Nothing: Codable, Equatable {}
private struct Three: Equatable { var number: Int64, flag: Bool, byte: UInt8 }
private struct Failure: Error, Codable, Equatable { var text: String }
private enum Mishap: Error, Equatable { case first, second }
private final class Odd: Error {}

/// With cases of nothing, of no bytes, of several payloads, in boxes.
private enum Mixed: Equatable {
  case void(Void)
  case nothing(Nothing)
  case plain
  case number(Int)
  case text(String)
  case never(Never)
  case named(name: String, three: Three)
  indirect case boxed(String, [Int])
  indirect case boxedBits(Int8)
  indirect case boxedVoid(Void)
  case last

  static func == (left: Mixed, right: Mixed) -> Bool { "\(left)" == "\(right)" }

  static let all: [Mixed] = [
    .void(()), .nothing(Nothing()), .plain, .number(-1), .text(""), .text(String(repeating: "water ", count: 90)),
    .named(name: "wheel", three: Three(number: 1, flag: true, byte: 2)), .boxed("a", [1, 2]), .boxedBits(-3),
    .boxedVoid(()), .last,
  ]
}

/// Only one case that carries something, so that the others are values that it cannot have.
private enum Single: Equatable { case none, text(String), nowhere }
private enum SingleOfBool: Equatable { case none, flag(Bool, String) }
/// Their tag is in the bits that references have to spare.
private enum References: Equatable { case one(String), two([String]), three(Data), four([String: Int]), five, six }
private enum Generic<T, U> { case one(T), two(U), both(T, U), none }
private enum Flags: Equatable { case flag(Bool, String), other(Bool, String), text(String), none }
private struct Outer: Equatable {
  var mixed: Mixed
  var list: [Single]
  var maybe: References?
  var pair: PairOf
}
private struct PairOf: Equatable { var left: Character, right: Substring }

@Suite struct EnumPayloadTests {
  private func bytes<V>(_ value: V) throws -> [UInt8] {
    var writer = ByteWriter()
    try Payload.coding(for: V.self).encode(value, into: &writer)
    return Array(writer.bytes)
  }

  private func value<V>(_ type: V.Type, _ bytes: [UInt8]) throws -> V {
    try bytes.withUnsafeBytes { try Payload.coding(for: type).decode(from: $0) }
  }

  private func sent<V>(_ value: V) throws -> V { try self.value(V.self, bytes(value)) }

  @Test("U24: enumerations travel case by case")
  func cases() throws {
    for value in Mixed.all { #expect(try sent(value) == value) }
    #expect(try sent(Mixed.all) == Mixed.all)
    for value in [Single.none, .text(""), .text("long enough to be on the heap"), .nowhere] {
      #expect(try sent(value) == value && sent(Optional(value)) == value && sent([value, .none]) == [value, .none])
    }
    for value in [SingleOfBool.none, .flag(true, "a"), .flag(false, "")] { #expect(try sent(value) == value) }
    let references: [References] = [.one("a"), .two(["b", ""]), .three(Data([1])), .four(["k": 1]), .five, .six]
    #expect(try sent(references) == references)
    #expect(try sent(References?.none) == nil)
    for flag in [Flags.flag(true, "a"), .other(false, "b"), .text("c"), .none] { #expect(try sent(flag) == flag) }
  }

  @Test("U24: generic ones too, whatever they are about")
  func generic() throws {
    func check<T, U>(_ left: T, _ right: U) throws {
      for value in [Generic<T, U>.one(left), .two(right), .both(left, right), .none] {
        let arrived = try sent(value)
        #expect("\(arrived)" == "\(value)")
      }
    }
    try check(1, "two")
    try check("one", ())
    try check((), ())
    try check([1: "a"], Character("🎡"))
    try check(Three(number: 1, flag: false, byte: 3), "wheel"[...])
    try check(Mixed.boxed("", []), Generic<String, Bool>.both("a", true))
    try check(Optional("a"), Optional<[Int?]>.none)
  }

  @Test("U24: they are parts of structures, tuples, arrays, sets and dictionaries")
  func nested() throws {
    let outer = Outer(
      mixed: .named(name: "a", three: Three(number: 9, flag: false, byte: 1)), list: [.text("x"), .none],
      maybe: .two(["y"]), pair: PairOf(left: "é", right: "mill race".dropFirst(5)))
    #expect(try sent(outer) == outer)
    #expect(try sent([outer, outer]) == [outer, outer])
    #expect(try sent((1, outer, "end")).1 == outer)
    #expect(try sent(["a": outer]) == ["a": outer])
    #expect(try sent(ContiguousArray([outer]))[0] == outer)
    #expect(try sent([Outer](repeating: outer, count: 3)[1...]) == [outer, outer])
    #expect(try sent(Set(["a"[...], "bc"[...]])) == ["a", "bc"])
    let inline: InlineArray<2, String> = ["a", "b"]
    #expect(try sent(inline)[1] == "b")
  }

  @Test("U24: substrings and characters travel as their text alone")
  func text() throws {
    let line = "Mühle, 水車, 🎡👩‍👩‍👧, e\u{301}"
    let parts = line.split(separator: ", ")
    #expect(try sent(parts) == parts && sent(parts[1]) == parts[1])
    #expect(try bytes(parts[1]) == Array("水車".utf8))
    #expect(try sent(Array(line)) == Array(line))
    for character in line { #expect(try sent(character) == character) }
    #expect(try sent(Substring?.none) == nil && sent(Character?.some("a")) == "a" && sent("".dropFirst()) == "")
    let wrong: [[UInt8]] = [[], [0x61, 0x62], [0xFF], Array("🎡🎡".utf8), [0x61, 0xCC]]
    for bytes in wrong { #expect(throws: PayloadError.self) { try value(Character.self, bytes) } }
    #expect(throws: PayloadError.self) { try value(Substring.self, [0xFF]) }
    // One after another is one too.
    #expect(try value(Character.self, Array("e\u{301}".utf8)) == "é")
  }

  indirect enum Nest<T> { case leaf(T), more(Nest<[T]>) }

  @Test("U249: a type that holds itself with other arguments, again and again, is refused")
  func growing() {
    let error = #expect(throws: PayloadError.self) { _ = try Payload.coding(for: Nest<Int>.self) }
    #expect("\(error!)".contains("of its own type"), "\(error!)")
  }

  enum Only: Hashable { case only }

  @Test("U250: a set of a type that has one value, and needs no byte for it")
  func onlyOnes() throws {
    for set in [Set<Only>(), [.only]] { #expect(try value(Set<Only>.self, bytes(set)) == set) }
    #expect(try value([Only: String].self, bytes([Only.only: "a"])) == [.only: "a"])
  }

  @Test("U24: results, with errors of their own type or of any")
  func results() throws {
    #expect(try sent(Result<String, Mishap>.success("a")) == .success("a"))
    #expect(try sent(Result<String, Mishap>.failure(.second)) == .failure(.second))
    #expect(try sent(Result<[Substring], Failure>.failure(Failure(text: "x"))) == .failure(Failure(text: "x")))
    func error(_ error: any Error) throws -> any Error {
      let result = try sent([Result<Int, any Error>.success(1), .failure(error)])
      #expect(try result[0].get() == 1)
      return try #require(throws: (any Error).self) { try result[1].get() }
    }
    #expect(try error(Failure(text: "x")) as? Failure == Failure(text: "x"))
    #expect(try error(Mishap.second) as? Mishap == .second)
    #expect(try error(CancellationError()) is CancellationError)
    let odd = try #require(try error(Odd()) as? WireError)
    #expect(odd.typeName.hasSuffix("Odd") && odd.description.hasSuffix("Odd"))
  }

  @Test("U24: what stands in the way is named")
  func refused() {
    enum Closure { case run(() -> Void), stop }
    enum Object { case object(NSObject), text(String) }
    indirect enum List { case node(String, List), end }
    enum Deep { case one(Inner) }
    struct Inner { var list: [Closure] }
    func text<V>(_ type: V.Type) -> String {
      let error = #expect(throws: PayloadError.self) { try Payload.coding(for: type) }
      return error?.description ?? ""
    }
    #expect(text(Closure.self).contains("its case run, of type () -> (), is a function"))
    #expect(text(Object.self).contains("its case object, of type") && text(Object.self).contains("is a class"))
    #expect(text(List.self).contains("its case node.1, of type") && text(List.self).contains("of its own type"))
    #expect(text(Deep.self).contains("its case one.list.run, of type () -> ()"))
  }

  @Test("U24: wrong bytes are refused, and leave nothing")
  func wrong() throws {
    for value in Mixed.all {
      let right = try bytes(value)
      for count in right.indices {
        #expect(throws: (any Error).self) { try self.value(Mixed.self, Array(right[..<count])) }
      }
      #expect(throws: PayloadError.self) { try self.value(Mixed.self, right + [0]) }
    }
    // A case of a number that there is not, and the case of what there is not.
    #expect(throws: PayloadError.self) { try value(Mixed.self, [11]) }
    #expect(throws: PayloadError.self) { try value(Mixed.self, [255, 255, 255, 255, 255, 255, 255, 255, 127]) }
    for tag in UInt8(0)..<12 { _ = try? value(Mixed.self, [tag, 0, 0, 0, 0, 0, 0, 0, 0]) }
    // A key, and an element, that come twice.
    let once = try bytes(["a"[...]: 1])
    #expect(throws: PayloadError.self) { try value([Substring: Int].self, [2] + once[1...] + once[8...]) }
    let element = try bytes(Set(["a"[...]]))
    #expect(throws: PayloadError.self) { try value(Set<Substring>.self, [2] + element[1...] + element[8...]) }
  }

  /// The number of its case would be in bits that are set.
  @Test("U24: bits that no value has are not taken for another case")
  func dirtyBits() throws {
    for flag in [Flags.flag(true, "a"), .other(true, "b")] {
      let right = try bytes(flag)
      for place in right.indices {
        for byte in [UInt8](0...255) where byte != right[place] {
          var spoiled = right
          spoiled[place] = byte
          guard let value = try? value(Flags.self, spoiled) else { continue }
          // It is a value, whose parts can be asked.
          if case .text(let text) = value { #expect(text.utf8.count < 9) }
          _ = try? bytes(value)
        }
      }
    }
  }

  final class Counted: @unchecked Sendable, Codable {
    nonisolated(unsafe) static var count = 0
    init() { Self.count += 1 }
    init(from decoder: any Decoder) { Self.count += 1 }
    func encode(to encoder: any Encoder) throws {}
    deinit { Self.count -= 1 }
  }

  enum Counting {
    case none, one(Counted), two(Int8, Counted)
    indirect case boxed(Counted, String)
  }

  @Test("U24: nothing is kept of values that were sent, read or refused")
  func lifetimes() throws {
    for make in [{ Counting.one(Counted()) }, { .two(1, Counted()) }, { .boxed(Counted(), "text") }] {
      let right = try bytes(make())
      #expect(Counted.count == 0)
      do {
        let value = make()
        for _ in 0..<3 { _ = try sent(value) }
        #expect(Counted.count == 1)
        withExtendedLifetime(value) {}
      }
      for count in right.indices {
        #expect(throws: (any Error).self) { try value(Counting.self, Array(right[..<count])) }
      }
      #expect(throws: (any Error).self) { try value(Counting.self, right + [1]) }
      #expect(Counted.count == 0)
    }
  }
}
