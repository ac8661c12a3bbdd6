import Foundation
import MillraceIPC
import Testing

/// Bytes that no encoder has written.
///
/// They may throw or decode, but never trap, hang or take more memory than they justify.
@Suite(.timeLimit(.minutes(1))) struct HostileBytesTests {
  indirect enum Recursive: Codable {
    case end
    case next(Recursive)
  }

  final class Node: Codable {
    var next: Node?
  }

  struct Lists: Codable {
    var next: [Lists]
  }

  struct Wrap: Codable {
    var value: [Wrap?]
    init(from decoder: any Decoder) throws { value = try decoder.singleValueContainer().decode([Wrap?].self) }
    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(value)
    }
  }

  static let sample = FuzzTarget(
    id: -300, name: "twelve chars", ratio: 0.5, flags: [true, false], list: [1, 2, 3], data: Data([1, 2, 3]),
    nested: ["key": [nil, "x", String(repeating: "y", count: 70)]], choice: .both(1, "two"), maybe: .some(nil))

  @Test func everyTruncationThrows() throws {
    let bytes = try BinaryEncoder().encode(Self.sample)
    #expect(try BinaryDecoder().decode(FuzzTarget.self, from: bytes) == Self.sample)
    for count in 0..<bytes.count {
      #expect(throws: DecodingError.self) { try BinaryDecoder().decode(FuzzTarget.self, from: Array(bytes[..<count])) }
    }
    #expect(throws: DecodingError.self) { try BinaryDecoder().decode(FuzzTarget.self, from: bytes + [0]) }
  }

  @Test func everyByteReplacedByManyOthers() throws {
    let bytes = try BinaryEncoder().encode(Self.sample)
    let decoder = BinaryDecoder()
    var refused = 0
    for offset in bytes.indices {
      var changed = bytes
      for byte in stride(from: UInt8(offset % 4), through: 251, by: 4) {
        changed[offset] = byte
        do { _ = try decoder.decode(FuzzTarget.self, from: changed) } catch { refused += 1 }
      }
    }
    #expect(refused > bytes.count * 16)
  }

  @Test func unknownTags() {
    for tag in UInt8(0x16)..<0x40 {
      for type in [Int.self, String.self, [Int].self, Bool?.self, Node.self] as [any Decodable.Type] {
        #expect(throws: DecodingError.self) { try BinaryDecoder().decode(type, from: [tag]) }
        #expect(throws: DecodingError.self) {
          try BinaryDecoder().decode(type, from: [tag] + [UInt8](repeating: 0, count: 20))
        }
      }
    }
  }

  @Test func hugeLengths() {
    let types: [any Decodable.Type] = [
      String.self, [UInt8].self, [Int].self, Data.self, [String].self, [String: Int].self, FuzzTarget.self,
      Set<Int>.self,
    ]
    let lengths: [UInt64] = [1 << 63, .max, .max - 1, .max - 8, 1 << 62, 1 << 40, 1 << 32, 1 << 31, 1000]
    for length in lengths {
      let raw = withUnsafeBytes(of: length) { [UInt8]($0) }
      var varint: [UInt8] = []
      var rest = length
      repeat {
        varint.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
        rest >>= 7
      } while rest > 0
      var frames = (UInt8(0x12)...0x14).map { [$0] + raw + raw }
      frames += [[0x10] + varint + raw, [0x11, 9] + varint + raw, [0x11, 7] + varint + raw]
      // The length of a key, in a keyed container of the right length.
      frames.append([0x13] + self.length(varint.count + 1) + varint + [0x80])
      for frame in frames {
        for type in types { #expect(throws: DecodingError.self) { try BinaryDecoder().decode(type, from: frame) } }
      }
    }
  }

  @Test func wrongCountsOfElements() throws {
    var bytes = try BinaryEncoder().encode(["a", "b"])
    // The count is behind the tag and the length.
    for count: UInt32 in [3, 1 << 31, .max - 1] {
      withUnsafeBytes(of: count) { bytes.replaceSubrange(9..<13, with: $0) }
      if count == 3 {
        #expect(try BinaryDecoder().decode([String].self, from: bytes) == ["a", "b"])
      } else {
        #expect(throws: DecodingError.self) { try BinaryDecoder().decode([String].self, from: bytes) }
      }
    }
  }

  /// Frames in frames, with `core` in the innermost one.
  private func bomb(depth: Int, core: [UInt8] = [0], _ shell: (_ inner: [UInt8]) -> [UInt8]) -> [UInt8] {
    (0..<depth).reduce(core) { inner, _ in shell(inner) }
  }

  private func keyedBomb(depth: Int) -> [UInt8] {
    bomb(depth: depth) { [0x13] + length($0.count + 5) + [8] + Array("next".utf8) + $0 }
  }

  private func length(_ count: Int) -> [UInt8] { withUnsafeBytes(of: UInt64(count)) { [UInt8]($0) } }

  @Test func depthBombs() throws {
    for depth in [400, 600, 2000] {
      let lists = bomb(depth: depth, core: [0x03]) { [0x12] + length($0.count + 4) + [1, 0, 0, 0] + $0 }
      let keyed = keyedBomb(depth: depth)
      let wrapped = bomb(depth: depth) { [0x14] + length($0.count) + $0 }
      let some = [UInt8](repeating: 0x15, count: depth) + [0]
      for frame in [lists, keyed, wrapped, some] {
        _ = try? BinaryDecoder().decode(Wrap.self, from: frame)
        _ = try? BinaryDecoder().decode(Node.self, from: frame)
        _ = try? BinaryDecoder().decode(Lists.self, from: frame)
        _ = try? BinaryDecoder().decode(Recursive.self, from: frame)
        _ = try? BinaryDecoder().decode(Int????.self, from: frame)
        _ = try? BinaryDecoder().decode(String.self, from: frame)
      }
      if depth > 512 {
        #expect(throws: DecodingError.self) { try BinaryDecoder().decode(Wrap.self, from: lists) }
        #expect(throws: DecodingError.self) { try BinaryDecoder().decode(Node.self, from: keyed) }
      }
      #expect(try BinaryDecoder().decode(Int?.self, from: wrapped) == nil)
    }
  }

  @Test func theEncoderHasTheSameLimit() throws {
    func chain(_ depth: Int) -> Node {
      let first = Node()
      for _ in 1..<depth {
        let node = Node()
        node.next = first.next
        first.next = node
      }
      return first
    }
    let bytes = try BinaryEncoder(maximumDepth: 100).encode(chain(100))
    _ = try BinaryDecoder(maximumDepth: 100).decode(Node.self, from: bytes)
    #expect(throws: EncodingError.self) { try BinaryEncoder(maximumDepth: 100).encode(chain(101)) }
    #expect(throws: DecodingError.self) { try BinaryDecoder(maximumDepth: 99).decode(Node.self, from: bytes) }
  }

  @Test(arguments: [160, 256, 512, 4096]) func smallStacksDoNotOverflow(kilobytes: Int) {
    let bytes = keyedBomb(depth: 512)
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      // Deep enough for the decoder here is deep enough for the encoder or not; neither may overflow.
      if let node = try? BinaryDecoder().decode(Node.self, from: bytes) { _ = try? BinaryEncoder().encode(node) }
      for depth in [30, 60, 100, 140] {
        let bytes = keyedBomb(depth: depth)
        if let node = try? BinaryDecoder().decode(Node.self, from: bytes) { _ = try? BinaryEncoder().encode(node) }
      }
      if kilobytes == 4096 {
        #expect(throws: Never.self) {
          _ = try BinaryEncoder().encode(BinaryDecoder().decode(Node.self, from: bytes))
        }
      }
      done.signal()
    }
    thread.stackSize = kilobytes << 10
    thread.start()
    done.wait()
  }

  @Test func allocationsAreBoundedByTheBytes() {
    // Eight bytes of frame that speak of four thousand million elements.
    let frame: [UInt8] = [0x12, 4, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]
    #expect((try? BinaryDecoder().decode([Int].self, from: frame)) == [])
    #expect(throws: DecodingError.self) {
      try BinaryDecoder().decode([Int].self, from: [0x11, 7, 0xF8, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F])
    }
  }

  @Test func errorsFromTheWire() throws {
    var writer = ByteWriter()
    try WireError(WireErrorTests.Plain.second).encode(into: &writer)
    let bytes = [UInt8](writer.bytes)
    for offset in bytes.indices {
      var changed = bytes
      for byte in UInt8.min...UInt8.max {
        changed[offset] = byte
        changed.withUnsafeBytes { _ = try? WireError.decode(from: $0) }
      }
    }
  }
}
