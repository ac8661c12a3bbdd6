// The work that every program does for an item, ours and the peers', bit for bit. All of it is inlinable, so that no
// program pays for a call into another module.

/// The outcome of `rounds` rounds of xorshift64: pure computing, some six cycles a round, which no compiler shortens.
@inlinable
@inline(__always)
public func spin(_ seed: UInt64, rounds: UInt64) -> UInt64 {
  var x = seed | 1
  var round: UInt64 = 0
  while round < rounds {
    x ^= x << 13
    x ^= x >> 7
    x ^= x << 17
    round &+= 1
  }
  return x
}

/// The next output of splitmix64, the only source of random numbers.
@inlinable
@inline(__always)
public func splitmix(_ state: inout UInt64) -> UInt64 {
  state &+= 0x9E37_79B9_7F4A_7C15
  var z = state
  z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
  return z ^ z >> 31
}

/// The tiny item: `x * x + 1`, wrapping.
@inlinable
@inline(__always)
public func squarePlusOne<Number: FixedWidthInteger>(_ x: Number) -> Number { x &* x &+ 1 }

/// An item of irregular cost.
public struct SpinItem: Sendable {
  /// What it starts from.
  public let seed: UInt64
  /// How long it takes.
  public let rounds: UInt64

  /// The result.
  @inlinable
  @inline(__always)
  public var result: UInt64 { spin(seed, rounds: rounds) }

  /// The 20,000 items of W2: costs of a Pareto distribution with exponent 1, capped at 2,000 times the least; in random
  /// order, or the heaviest last.
  public static func pareto(ascending: Bool) -> [SpinItem] {
    let least: UInt64 = 7_500
    var state: UInt64 = 42
    var rounds = (0..<20_000).map { _ in min(2_000 * least, (least << 32) / ((splitmix(&state) >> 32) + 1)) }
    if ascending { rounds.sort() }
    return rounds.enumerated().map { SpinItem(seed: UInt64($0.offset) + 1, rounds: $0.element) }
  }
}

/// `count` bytes off the stream of splitmix64 that begins at `seed`, each output little-endian.
public func splitmixBytes(_ count: Int, seed: UInt64) -> [UInt8] {
  var state = seed
  return [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
    let bytes = UnsafeMutableRawBufferPointer(buffer)
    for offset in stride(from: 0, to: count, by: 8) {
      withUnsafeBytes(of: splitmix(&state).littleEndian) { word in
        UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<min(offset + 8, count)])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: word.prefix(count - offset)))
      }
    }
    initializedCount = count
  }
}

/// A new buffer, every byte XOR 0x5A. The length is a multiple of eight.
@inlinable
public func xored(_ bytes: [UInt8]) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: bytes.count) { buffer, initializedCount in
    bytes.withUnsafeBytes { source in
      let target = UnsafeMutableRawBufferPointer(buffer)
      for offset in stride(from: 0, to: source.count, by: 8) {
        let word = source.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ 0x5A5A_5A5A_5A5A_5A5A
        target.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
      }
    }
    initializedCount = bytes.count
  }
}

/// The wrapping sum of a buffer's words. The length is a multiple of eight.
@inlinable
public func wordSum(_ bytes: [UInt8]) -> UInt64 {
  bytes.withUnsafeBytes { source in
    var sum: UInt64 = 0
    for offset in stride(from: 0, to: source.count, by: 8) {
      sum &+= source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }
    return sum
  }
}

/// The wrapping sum of whole numbers, as the checksums have it.
@inlinable
public func wrappingSum(_ numbers: some Sequence<Int64>) -> UInt64 {
  numbers.reduce(into: 0) { $0 &+= UInt64(bitPattern: $1) }
}
