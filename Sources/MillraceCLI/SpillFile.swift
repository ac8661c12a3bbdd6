#if CLI
internal import CMillrace
internal import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Output that is too large to keep in memory: one file without a name for all jobs, made when it is first needed.
///
/// Each part gets its own stretch of the file, whose blocks go back to the file system when the part is printed. A part lies in whole
/// blocks of its own and the beginning of one more, or in the rest of such a block; that goes back with the last that lies there.
final class SpillFile: Sendable {
  struct Part: Equatable, Sendable {
    var offset: Int
    var length: Int

    fileprivate var lengthOfOwnBlocks: Int { offset % SpillFile.block > 0 ? 0 : length - length % SpillFile.block }
    /// The beginning of the block that others may lie in, too.
    fileprivate var sharedBlock: Int? {
      (offset + length) % SpillFile.block > 0 || offset % SpillFile.block > 0
        ? (offset + length - 1) / SpillFile.block * SpillFile.block : nil
    }
  }

  /// What file systems give back at the least, mostly.
  private static let block = 4096

  private struct State {
    /// -1 until it is needed.
    var file: Int32 = -1
    var end = 0
    /// How many parts lie in blocks that are not of one part, by the beginnings of these.
    var shared: [Int: Int] = [:]
    /// Bytes that are still to be taken.
    var kept = 0
  }

  /// Of any bytes, as `ArgumentBytes` has them.
  private let directory: String
  private let state = Lock(State())

  init(directory: String) { self.directory = directory }

  deinit { state.withLock { if $0.file >= 0 { close($0.file) } } }

  func store(_ bytes: Bytes) throws -> Part {
    let (file, part) = try state.withLock { state in
      if state.file < 0 {
        state.file = (ArgumentBytes.bytes(from: directory) + [0]).withUnsafeBytes { bytes in
          millrace_unlinked_file(bytes.baseAddress!.assumingMemoryBound(to: CChar.self))
        }
      }
      guard state.file >= 0 else { throw SystemError("cannot make a temporary file in \(Shown.text(directory))") }
      let rest = Self.block - state.end % Self.block
      if rest < Self.block, bytes.count > rest { state.end += rest }
      let part = Part(offset: state.end, length: bytes.count)
      state.end += bytes.count
      state.kept += bytes.count
      if let block = part.sharedBlock { state.shared[block, default: 0] += 1 }
      return (state.file, part)
    }
    do { try write(bytes, file, part) } catch {
      release(part)
      throw error
    }
    return part
  }

  private func write(_ bytes: Bytes, _ file: Int32, _ part: Part) throws {
    let offset = part.offset
    try bytes.withUnsafeBytes { bytes in
      var written = 0
      while written < bytes.count {
        let count = pwrite(file, bytes.baseAddress! + written, bytes.count - written, off_t(offset + written))
        if count > 0 {
          written += count
        } else if errno != EINTR {
          throw SystemError("cannot write to a temporary file in \(Shown.text(directory))")
        }
      }
    }
  }

  /// Gives the room of a part back, as far as nothing else lies there.
  private func release(_ part: Part) {
    state.withLock { state in
      state.kept -= part.length
      if state.kept == 0 {
        ftruncate(state.file, 0)
        state.end = 0
        state.shared = [:]
        return
      }
      if part.lengthOfOwnBlocks > 0 {
        millrace_punch_hole(state.file, off_t(part.offset), off_t(part.lengthOfOwnBlocks))
      }
      guard let block = part.sharedBlock, let count = state.shared[block] else { return }
      state.shared[block] = count > 1 ? count - 1 : nil
      guard count == 1 else { return }
      // Who comes next begins behind it.
      state.end = max(state.end, block + Self.block)
      millrace_punch_hole(state.file, off_t(block), off_t(Self.block))
    }
  }

  /// The bytes of a part; it is gone afterwards.
  func take(_ part: Part) throws -> Bytes {
    let file = state.withLock { $0.file }
    let bytes = try Bytes(unsafeUninitializedCapacity: part.length) { buffer, count in
      while count < part.length {
        let more = pread(file, buffer.baseAddress! + count, part.length - count, off_t(part.offset + count))
        if more > 0 {
          count += more
        } else if more == 0 || errno != EINTR {
          throw SystemError("cannot read a temporary file in \(Shown.text(directory))", code: more == 0 ? EIO : errno)
        }
      }
    }
    release(part)
    return bytes
  }
}

/// What a job wrote to one descriptor: in memory while it is small, older parts in the spill file.
struct Capture: Sendable {
  /// Bytes that are kept in memory.
  let memory: Int
  private(set) var parts: [SpillFile.Part] = []
  private(set) var tail = Bytes()

  init(memory: Int) { self.memory = memory }

  var isEmpty: Bool { parts.isEmpty && tail.isEmpty }

  mutating func append(_ bytes: some Collection<UInt8>) { tail += bytes }

  mutating func append(_ bytes: some Collection<UInt8>, spill: SpillFile) throws {
    append(bytes)
    if tail.count >= memory { try spillAll(to: spill) }
  }

  /// Keeps nothing in memory any more.
  mutating func spillAll(to spill: SpillFile) throws {
    guard !tail.isEmpty else { return }
    parts.append(try spill.store(tail))
    tail = []
  }

  /// Hands over all bytes in order, in pieces of bounded size.
  consuming func forEachPiece(_ spill: SpillFile, _ body: (Bytes) throws -> Void) throws {
    for part in parts { try body(try spill.take(part)) }
    if !tail.isEmpty { try body(tail) }
  }
}
#endif
