import MillraceIPC
import Testing

/// Encodes and decodes with the binary coder.
func roundTrip<T: Codable>(_ value: T, as type: T.Type = T.self) throws -> T {
  try BinaryDecoder().decode(type, from: BinaryEncoder().encode(value))
}

/// Checks that a value comes back as it was, by itself and from within every kind of container.
func expectRoundTrip<T: Codable & Equatable>(_ value: T, sourceLocation: SourceLocation = #_sourceLocation) throws {
  #expect(try roundTrip(value) == value, sourceLocation: sourceLocation)
  let house = Everywhere(keyed: value, present: value, list: [value, value], named: ["a": value], pair: .init(value))
  #expect(try roundTrip(house) == house, sourceLocation: sourceLocation)
}

/// A value in all places where a value can be.
struct Everywhere<T: Codable & Equatable>: Codable, Equatable {
  enum Choice: Codable, Equatable {
    case none
    case one(T)
    case labelled(first: T, second: Int?)
  }

  struct Single: Codable, Equatable {
    var value: T

    init(_ value: T) { self.value = value }

    init(from decoder: any Decoder) throws { value = try decoder.singleValueContainer().decode(T.self) }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(value)
    }
  }

  var keyed: T
  var present: T?
  var missing: T?
  var list: [T]
  var named: [String: T]
  var pair: Single
  var choices: [Choice]

  init(keyed: T, present: T?, list: [T], named: [String: T], pair: Single) {
    self.keyed = keyed
    self.present = present
    self.list = list
    self.named = named
    self.pair = pair
    choices = [.none, .one(keyed), .labelled(first: keyed, second: nil), .labelled(first: keyed, second: 7)]
  }
}

/// SplitMix64: random numbers that are the same in every run.
struct Dice: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
