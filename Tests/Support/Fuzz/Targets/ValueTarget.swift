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
    Coded(isOrdered: false) { random in
      Dictionary(uniqueKeysWithValues: (0..<random.below(6)).map { ("\($0)\(random.text(upTo: 3))", random.number()) })
    },
    Coded(isOrdered: false) { random in
      Dictionary(uniqueKeysWithValues: (0..<random.below(6)).map { ($0, random.chance(50)) })
    },
    Coded(isOrdered: false) { random in Set((0..<random.below(9)).map { _ in random.number() }) },
  ])

  func valid(_ random: inout FuzzRandom) throws -> [[UInt8]] { try probes.valid(&random) }

  func read(_ bytes: [UInt8]) throws { try probes.read(bytes) }

  private struct Coded<Value: Codable>: Probe {
    /// Whether equal values have equal encodings.
    var isOrdered = true
    let make: @Sendable (inout FuzzRandom) -> Value

    init(isOrdered: Bool = true, _ make: @escaping @Sendable (inout FuzzRandom) -> Value) {
      self.isOrdered = isOrdered
      self.make = make
    }

    func valid(_ random: inout FuzzRandom) throws -> [UInt8] { try BinaryEncoder().encode(make(&random)) }

    func read(_ bytes: UnsafeRawBufferPointer) throws {
      let value = try BinaryDecoder().decode(Value.self, from: bytes)
      let again = try encoded(value)
      let value2 = try promised("what was decoded and encoded") { try BinaryDecoder().decode(Value.self, from: again) }
      let last = try encoded(value2)
      try promise(!isOrdered || last == again, "\(value) is not itself after a journey")
    }

    private func encoded(_ value: Value) throws -> [UInt8] {
      try promised("what was decoded") { try BinaryEncoder().encode(value) }
    }
  }
}

/// What may not be refused, because it is our own.
func promised<Result>(_ what: String, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch { throw FuzzProblem("\(what) is refused: \(error)") }
}
