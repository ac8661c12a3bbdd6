import Foundation
import MillraceIPC
import Testing

/// What the fuzzer decodes: a bit of everything, short.
struct FuzzTarget: Codable, Equatable {
  enum Choice: Codable, Equatable {
    case none
    case one(Int8)
    case both(UInt32, String)
  }

  var id: Int
  var name: String
  var ratio: Float
  var flags: [Bool]
  var list: [Int]
  var data: Data
  var nested: [String: [String?]]
  var choice: Choice
  var maybe: Int??
}

/// Two hundred thousand frames, some seconds without optimisation: random ones, and valid ones that were changed in some places.
@Suite(.serialized, .timeLimit(.minutes(1))) struct FuzzTests {
  struct Small: Codable {
    var a: Int
    var b: String?
  }

  final class Tree: Codable {
    var left: Tree?
    var right: [Tree]
    init(left: Tree?, right: [Tree]) {
      self.left = left
      self.right = right
    }
  }

  static let frames = 200_000
  static let parts = 10

  /// What a frame is tried as.
  private typealias Target = (BinaryDecoder, UnsafeRawBufferPointer) throws -> Void

  private func target<T: Decodable>(_ type: T.Type) -> Target { { _ = try $0.decode(type, from: $1) } }

  private func targets() throws -> [(target: Target, frames: [[UInt8]])] {
    let encoder = BinaryEncoder()
    return [
      (target(Int.self), [try encoder.encode(5), try encoder.encode(1 << 40)]),
      (target(String.self), [try encoder.encode("hello"), try encoder.encode(String(repeating: "é", count: 40))]),
      (target([Int].self), [try encoder.encode([1, 2]), try encoder.encode(Set([1, 2]))]),
      (target(Double??.self), [try encoder.encode(1.5), try encoder.encode(Double??.some(nil))]),
      (target([UInt8].self), [try encoder.encode([UInt8](0...9))]),
      (target(Data.self), [try encoder.encode(Data([1, 2, 3]))]),
      (target([String].self), [try encoder.encode(["a", "bc"])]),
      (target(Small.self), [try encoder.encode(Small(a: 1, b: "x")), try encoder.encode(Small(a: 300, b: nil))]),
      (target([String: Int8].self), [try encoder.encode(["a": 1, "b": 2])]),
      (target([Int: Bool].self), [try encoder.encode([1: true])]),
      (target(FuzzTarget.Choice.self), [try encoder.encode(FuzzTarget.Choice.both(1, "x"))]),
      (target(Tree.self), [try encoder.encode(Tree(left: .init(left: nil, right: []), right: []))]),
      (target(UInt128.self), [try encoder.encode(UInt128.max), try encoder.encode(Int128.min)]),
    ]
  }

  @Test(arguments: 0..<parts) func neverATrap(part: Int) throws {
    let targets = try targets()
    let decoder = BinaryDecoder()
    var dice = Dice(state: UInt64(part))
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 1)
    defer { room.deallocate() }
    var decoded = 0
    for round in 0..<Self.frames / Self.parts {
      let bits = dice.next()
      let (target, frames) = targets[round % targets.count]
      var count: Int
      if bits & 3 == 0 {
        // Random bytes; half of them begin with a tag that exists.
        count = Int(bits >> 8 & 31) + 1
        for offset in stride(from: 0, to: count, by: 8) {
          room.storeBytes(of: dice.next(), toByteOffset: offset, as: UInt64.self)
        }
        if bits & 4 == 0 { room[0] &= 0x15 }
      } else {
        let frame = frames[Int(bits >> 8 & 0xFF) % frames.count]
        count = frame.count
        for offset in 0..<count { room[offset] = frame[offset] }
        mutate(room, &count, &dice, times: Int(bits >> 4 & 3) + 1)
      }
      do {
        try target(decoder, UnsafeRawBufferPointer(rebasing: room[..<count]))
        decoded += 1
      } catch {}
    }
    // Some changes are harmless, most are not.
    #expect(decoded > Self.frames / Self.parts / 100)
    #expect(decoded < Self.frames / Self.parts / 2)
  }

  private func mutate(
    _ room: UnsafeMutableRawBufferPointer, _ count: inout Int, _ dice: inout Dice, times: Int
  ) {
    for _ in 0..<times {
      let bits = dice.next()
      let offset = Int(truncatingIfNeeded: bits >> 32 & 0xFFFF) % count
      switch bits & 7 {
      case 0: room[offset] = UInt8(truncatingIfNeeded: bits >> 8)
      case 1: room[offset] ^= 1 << UInt8(bits >> 8 & 7)
      case 2: room[offset] = [0, 0xFF, 0x7F, 0x80][Int(bits >> 8 & 3)]
      case 3: room[offset] &+= 1
      case 4: count = offset + 1
      case 5 where count < room.count - 8:
        room[count] = UInt8(truncatingIfNeeded: bits >> 8)
        count += 1
      case 6: room.swapAt(offset, Int(bits >> 8 & 0xFFFF) % count)
      default: room[offset] = UInt8(bits >> 8 & 0x1F)
      }
    }
  }
}
