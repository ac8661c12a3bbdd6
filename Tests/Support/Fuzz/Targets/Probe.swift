import Foundation
import MillraceIPC

/// One type that is made, and read from bytes.
protocol Probe: Sendable {
  func valid(_ random: inout FuzzRandom) throws -> [UInt8]
  func read(_ bytes: UnsafeRawBufferPointer) throws
}

/// Targets that read one of several types: the first byte says which.
struct Probes: Sendable {
  let all: [any Probe]

  func valid(_ random: inout FuzzRandom) throws -> [[UInt8]] {
    let choice = random.below(all.count)
    return [[UInt8(choice)], try all[choice].valid(&random)]
  }

  func read(_ bytes: [UInt8]) throws {
    guard let choice = bytes.first else { throw Refusal() }
    let rest = Array(bytes.dropFirst())
    try rest.withUnsafeBytes { try all[Int(choice) % all.count].read($0) }
  }
}

/// A bit of everything that is encoded.
struct Anything: Codable, Equatable {
  enum Choice: Codable, Equatable {
    case none
    case one(Int8)
    case both(UInt32, String)
  }

  var id: Int
  var name: String
  var ratio: Float
  var precise: Double?
  var flags: [Bool]
  var list: [Int]
  var data: Data
  var nested: [[String?]]
  var choice: Choice
  var maybe: Int??
  var wide: UInt128

  init(_ random: inout FuzzRandom) {
    id = random.number()
    name = random.text(upTo: 80)
    ratio = Float(random.below(1_000)) / 8
    precise = random.chance(50) ? Double(bitPattern: random.next()) : nil
    flags = (0..<random.below(4)).map { _ in random.chance(50) }
    list = (0..<random.below(5)).map { _ in random.number() }
    data = Data(random.bytes(random.below(12)))
    nested = (0..<random.below(3)).map { _ in
      (0..<random.below(3)).map { _ in random.chance(50) ? random.text(upTo: 6) : nil }
    }
    choice = [.none, .one(Int8(truncatingIfNeeded: random.next())), .both(7, random.text(upTo: 4))][random.below(3)]
    maybe = [nil, .some(nil), 5][random.below(3)]
    wide = UInt128(random.next()) << UInt128(random.below(64))
  }
}

/// A value that holds its like.
final class Tree: Codable, Sendable {
  let left: Tree?
  let right: [Tree]

  init(_ random: inout FuzzRandom, depth: Int = 0) {
    left = depth < 30 && random.chance(80) ? Tree(&random, depth: depth + 1) : nil
    right = depth < 4 ? (0..<random.below(3)).map { _ in Tree(&random, depth: depth + 3) } : []
  }
}
