/// Spoils valid input: a few changes, each of a kind that chance picks.
///
/// Input comes in pieces, of which each travels as one: frames, records, messages.
struct Mutator {
  /// What lengths, counts and indices are replaced by.
  static let lengths: [UInt64] = [
    0, 1, 7, 8, 31, 32, 33, 127, 128, 4_095, 4_096, 4_097, 65_535, 65_536, 1 << 31, (1 << 31) - 1, .max >> 32, 1 << 32,
    1 << 40, 1 << 62, 1 << 63, (1 << 63) - 1, .max, .max - 7, .max - 31,
  ]

  static func mutated(_ pieces: [[UInt8]], other: [[UInt8]], _ random: inout FuzzRandom) -> [UInt8] {
    var pieces = pieces
    for _ in 0..<random.below(3) { shuffle(&pieces, other, &random) }
    var bytes = Array(pieces.joined())
    for _ in 0..<random.below(5) { spoil(&bytes, &random) }
    return bytes
  }

  /// Changes of the order and number of the pieces.
  private static func shuffle(_ pieces: inout [[UInt8]], _ other: [[UInt8]], _ random: inout FuzzRandom) {
    guard !pieces.isEmpty else { return }
    let place = random.below(pieces.count)
    switch random.below(6) {
    case 0: pieces.insert(pieces[place], at: place)
    case 1: pieces.append(pieces[place])
    case 2: pieces.remove(at: place)
    case 3: pieces.swapAt(place, random.below(pieces.count))
    case 4: if !other.isEmpty { pieces.insert(random.one(of: other), at: place) }
    default: spoil(&pieces[place], &random)
    }
  }

  /// Changes of the bytes.
  private static func spoil(_ bytes: inout [UInt8], _ random: inout FuzzRandom) {
    guard !bytes.isEmpty else { return bytes = random.bytes(random.below(40)) }
    let place = random.below(bytes.count)
    switch random.below(11) {
    case 0: bytes[place] ^= 1 << UInt8(random.below(8))
    case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
    case 2: bytes[place] = random.one(of: [0, 1, 0x7F, 0x80, 0xFE, 0xFF])
    case 3: bytes[place] &+= random.chance(50) ? 1 : 0xFF
    case 4: bytes.removeLast(bytes.count - place)
    case 5: bytes.insert(contentsOf: random.bytes(random.below(16)), at: place)
    case 6: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.below(16)))
    case 7: overwrite(&bytes, at: place, width: 4, &random)
    case 8: overwrite(&bytes, at: place & ~7, width: 8, &random)
    case 9: overwrite(&bytes, at: place & ~3, width: 4, &random)
    default:
      let from = random.below(bytes.count)
      let count = min(1 + random.below(64), bytes.count - from, bytes.count - place)
      bytes.replaceSubrange(place..<place + count, with: Array(bytes[from..<from + count]))
    }
  }

  private static func overwrite(_ bytes: inout [UInt8], at place: Int, width: Int, _ random: inout FuzzRandom) {
    var value = random.one(of: lengths)
    if random.chance(30) { value = value &+ UInt64(random.below(17)) &- 8 }
    if random.chance(10) { value = UInt64(bytes.count - place) &+ UInt64(random.below(3)) &- 1 }
    for offset in 0..<width where place + offset < bytes.count {
      bytes[place + offset] = UInt8(truncatingIfNeeded: value >> UInt64(8 * offset))
    }
  }
}
