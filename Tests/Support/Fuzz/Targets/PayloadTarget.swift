import Foundation
import MillraceIPC

/// Items and outputs as they lie in the rings: as they are in memory, as blocks, or encoded.
struct PayloadTarget: FuzzTarget {
  let name = "payload"

  private struct Point: Equatable {
    var x: Double
    var y: Int32
    var z: Int32
  }

  /// By its stored properties.
  private struct Loose {
    var number: Int
    var text: String
    var points: [Point]
    var list: [(String, Bool, Point?)]
    var texts: [String]?
  }

  /// By its cases.
  private enum Loaded {
    case none, point(Point, Bool), text(String), list([Loaded2]), set(Set<Character>), keys([Substring: Bool])
    indirect case boxed(Character, [Int])
    case error(any Error), result(Result<Substring, ErrorTarget.Full>), void(Void), end
  }

  private enum Loaded2 { case flag(Bool, String), other(UInt8, String), texts([String]), none }

  private static func loaded(_ random: inout FuzzRandom) -> Loaded {
    switch random.below(11) {
    case 0: .none
    case 1: .point(Point(x: 1, y: 2, z: 3), random.chance(50))
    case 2: .text(random.text(upTo: 40))
    case 3:
      .list(
        (0..<random.below(4)).map {
          [.none, .flag($0 == 1, random.text(upTo: 4)), .other(UInt8($0), "b"), .texts([random.text(upTo: 20)])][$0]
        })
    case 4: .set([["a", "é", "水"][random.below(3)]])
    case 5: .keys([random.text(upTo: 9)[...]: random.chance(50)])
    case 6: .boxed("🎡", [random.number()])
    case 7: .error([ErrorTarget.Simple.second, ErrorTarget.Full(code: 1, text: "a", underlying: [])][random.below(2)])
    case 8:
      .result([.success("ab"[...]), .failure(ErrorTarget.Full(code: 7, text: "", underlying: []))][random.below(2)])
    case 9: .void(())
    default: .end
    }
  }

  private let probes = Probes(all: [
    Plain { $0.number() }, Plain { Point(x: Double($0.number()), y: 1, z: Int32(truncatingIfNeeded: $0.next())) },
    Plain { $0.text(upTo: 600) }, Plain { $0.bytes($0.below(200)) },
    Plain { random in (0..<random.below(9)).map { _ in random.number() } },
    Plain { random in ContiguousArray((0..<random.below(9)).map { _ in UInt16(truncatingIfNeeded: random.next()) }) },
    Plain { random in (0..<random.below(9)).map { Point(x: 0.5, y: Int32($0), z: 0) } },
    Plain { random in (0..<random.below(9)).map { _ in Double(random.number()) }[...] },
    Plain { Data($0.bytes($0.below(90))) }, Plain(isExact: false) { Anything(&$0) },
    Plain(isExact: false) { random in (0..<random.below(5)).map { _ in random.text(upTo: 9) } },
    Plain(isExact: false) { random in
      Loose(
        number: random.number(), text: random.text(upTo: 40),
        points: (0..<random.below(3)).map { Point(x: 1, y: Int32($0), z: 2) },
        list: (0..<random.below(4)).map { (random.text(upTo: 5), $0 == 1, $0 == 2 ? nil : Point(x: 0, y: 0, z: 0)) },
        texts: random.below(2) == 0 ? nil : (0..<random.below(3)).map { _ in random.text(upTo: 20) })
    }, Nothing(), Plain { Character($0.chance(50) ? "e\u{301}" : "👩‍👩‍👧") }, Plain { $0.text(upTo: 60)[...] },
    Plain(isExact: false) { Self.loaded(&$0) }, Plain(isExact: false) { (Self.loaded(&$0), $0.number(), "end"[...]) },
    Plain(isExact: false) { random in (0..<random.below(4)).map { _ in random.chance(30) ? nil : Self.loaded(&random) }
    },
  ])

  func valid(_ random: inout FuzzRandom) throws -> [[UInt8]] { try probes.valid(&random) }

  func read(_ bytes: [UInt8]) throws { try probes.read(bytes) }

  private struct Plain<Value>: Probe {
    /// Whether there is one encoding of each value only.
    var isExact = true
    let make: @Sendable (inout FuzzRandom) -> Value

    init(isExact: Bool = true, _ make: @escaping @Sendable (inout FuzzRandom) -> Value) {
      self.isExact = isExact
      self.make = make
    }

    func valid(_ random: inout FuzzRandom) throws -> [UInt8] { try encoded(make(&random)) }

    func read(_ bytes: UnsafeRawBufferPointer) throws {
      let value = try Payload.coding(for: Value.self).decode(from: bytes)
      let again = try promised("what was read") { try encoded(value) }
      if isExact {
        try promise(again == Array(bytes), "\(value) is encoded in another way")
      } else {
        _ = try promised("what was encoded") {
          try again.withUnsafeBytes { try Payload.coding(for: Value.self).decode(from: $0) }
        }
      }
    }

    private func encoded(_ value: Value) throws -> [UInt8] {
      var writer = ByteWriter()
      try Payload.coding(for: Value.self).encode(value, into: &writer)
      return Array(writer.bytes)
    }
  }

  /// The output of work that always throws.
  private struct Nothing: Probe {
    func valid(_ random: inout FuzzRandom) -> [UInt8] { [] }

    func read(_ bytes: UnsafeRawBufferPointer) throws {
      let value: Void? = try Payload.coding(for: Void?.self).byteCount(of: nil) == nil ? nil : ()
      try promise(value != nil, "an optional of nothing has no size")
      _ = try? Payload.coding(for: Never.self).decode(from: bytes)
    }
  }
}
