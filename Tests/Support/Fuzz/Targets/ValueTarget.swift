import Foundation
import MillraceIPC

/// The binary coder.
struct ValueTarget: FuzzTarget {
  let name = "value"

  private let probes = Probes(all: [
    Coded { Anything(&$0) }, Coded { $0.number() }, Coded { $0.text(upTo: 300) }, Coded { Double($0.number()) },
    Coded { random in (0..<random.below(20)).map { _ in random.number() } }, Coded { $0.bytes($0.below(100)) },
    Coded { random in (0..<random.below(9)).map { _ in random.text(upTo: 70) } },
    Coded { Data($0.bytes($0.below(50))) },
    Coded { [Int??.none, .some(nil), 3][$0.below(3)] }, Coded { Int128($0.number()) * 1_000_003 }, Coded { Tree(&$0) },
    Shuffled([String: Int].self) { random in
      InOrder((0..<random.below(6)).map { ("\($0)\(random.text(upTo: 3))", nil, random.number()) })
    },
    Shuffled([Int: Bool].self) { random in
      InOrder((0..<random.below(6)).map { ("\($0)", $0, random.chance(50)) })
    },
    Shuffled(Set<Int>.self) { random in (0..<random.below(9)).map { _ in random.number() } },
  ])

  func valid(_ random: inout FuzzRandom) throws -> [[UInt8]] { try probes.valid(&random) }

  func read(_ bytes: [UInt8]) throws { try probes.read(bytes) }

  /// Values of which equal ones have equal encodings.
  private struct Coded<Value: Codable>: Probe {
    let make: @Sendable (inout FuzzRandom) -> Value

    init(_ make: @escaping @Sendable (inout FuzzRandom) -> Value) { self.make = make }

    func valid(_ random: inout FuzzRandom) throws -> [UInt8] { try BinaryEncoder().encode(make(&random)) }

    func read(_ bytes: UnsafeRawBufferPointer) throws {
      let value = try BinaryDecoder().decode(Value.self, from: bytes)
      let again = try promised("what was decoded") { try BinaryEncoder().encode(value) }
      let copy = try promised("what was encoded") { try BinaryDecoder().decode(Value.self, from: again) }
      let last = try promised("what was decoded") { try BinaryEncoder().encode(copy) }
      try promise(last == again, "\(value) is not itself after a journey")
    }
  }

  /// Values whose encoding is in another order in each process: others are made in their place.
  private struct Shuffled<Value: Codable & Equatable, Source: Encodable>: Probe {
    let make: @Sendable (inout FuzzRandom) -> Source

    init(_ type: Value.Type, _ make: @escaping @Sendable (inout FuzzRandom) -> Source) { self.make = make }

    func valid(_ random: inout FuzzRandom) throws -> [UInt8] { try BinaryEncoder().encode(make(&random)) }

    func read(_ bytes: UnsafeRawBufferPointer) throws {
      let value = try BinaryDecoder().decode(Value.self, from: bytes)
      let again = try promised("what was decoded") { try BinaryEncoder().encode(value) }
      let copy = try promised("what was encoded") { try BinaryDecoder().decode(Value.self, from: again) }
      try promise(copy == value, "\(value) is not itself after a journey")
    }
  }
}

/// What a dictionary encodes, in an order of its own.
private struct InOrder<Value: Encodable & Sendable>: Encodable {
  private struct Key: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ name: String, _ number: Int?) {
      stringValue = name
      intValue = number
    }

    init(stringValue: String) { self.init(stringValue, nil) }
    init(intValue: Int) { self.init("\(intValue)", intValue) }
  }

  let entries: [(name: String, number: Int?, value: Value)]

  init(_ entries: [(name: String, number: Int?, value: Value)]) { self.entries = entries }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    for entry in entries { try container.encode(entry.value, forKey: Key(entry.name, entry.number)) }
  }
}

/// What may not be refused, because it is our own.
func promised<Result>(_ what: String, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch { throw FuzzProblem("\(what) is refused: \(error)") }
}
