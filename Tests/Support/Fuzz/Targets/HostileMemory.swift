import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a hostile peer has: the lane's own memory, and no manners.
struct HostileMemory: ~Copyable {
  private let mapping: MemoryMapping

  init(of lane: Lane) throws {
    let memory = try SharedMemory(adopting: fcntl(lane.descriptor, F_DUPFD_CLOEXEC, 0))
    mapping = try memory.map()
  }

  var size: Int { mapping.size }

  func set<Word: BitwiseCopyable>(_ offset: Int, _ value: Word) {
    mapping.base.storeBytes(of: value, toByteOffset: offset, as: Word.self)
  }

  func set(_ offset: Int, _ bytes: ArraySlice<UInt8>) {
    bytes.withUnsafeBytes {
      if let source = $0.baseAddress { (mapping.base + offset).copyMemory(from: source, byteCount: $0.count) }
    }
  }
}

/// Takes little-endian words, and what is behind them, off the front of some bytes; zeros where there are none.
struct WordReader {
  private(set) var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  mutating func word() -> UInt64 {
    defer { rest = rest.dropFirst(8) }
    return rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

func littleEndian(_ words: UInt64...) -> [UInt8] {
  words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
}

/// A frame as it lies in a ring.
func frame(_ header: FrameHeader, _ payload: [UInt8] = []) -> [UInt8] {
  let first = UInt64(header.kind) << 32 | UInt64(header.flags) << 48 | UInt64(payload.count)
  let padding = [UInt8](repeating: 0, count: -payload.count & 7)
  return littleEndian(first, UInt64(header.a), header.b, header.c) + payload + padding
}
