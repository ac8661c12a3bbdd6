import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Bytes that do not change, in a file or in memory of their own, which workers read where they are: nothing of them is copied on the
/// way.
///
/// ```swift
/// let log = try SharedBytes(contentsOf: "/var/log/access.log")
/// let sums = try await pool.map(log.pieces(of: 1 << 20)) { piece in piece.reduce(0) { $0 + Int($1) } }
/// ```
///
/// A slice of them is `SharedBytes` too, with the indices that it has in the whole, and travels as lightly. The memory is gone with the
/// last one that has it, in whichever process.
public struct SharedBytes: RandomAccessCollection, Sendable {
  let block: SharedBlock
  /// The index of the first byte: not 0 in a slice.
  public let startIndex: Int
  /// The index behind the last byte.
  public let endIndex: Int

  private static let signature = SharedObject.Kind.bytes.signature()

  private init(_ block: SharedBlock, _ range: Range<Int>) {
    self.block = block
    startIndex = range.lowerBound
    endIndex = range.upperBound
  }

  /// The bytes of a file, mapped: none of them is read before it is asked for. Files that cannot be mapped, as those in `/proc`, are
  /// read.
  ///
  /// Who changes the file changes them. Who makes it shorter ends whoever reads behind its end with a signal (`SIGBUS`): a
  /// worker process costs that one item.
  ///
  /// - Throws: ``SystemError`` if the file cannot be opened or mapped, or is not a regular one.
  public init(contentsOf path: String) throws {
    let number = millrace_file_own(path)
    guard number >= 0 else { throw SystemError("opening \(path) as SharedBytes", errno) }
    let file = Descriptor(owning: number)
    var status = stat()
    guard fstat(file.rawValue, &status) == 0 else { throw SystemError("opening \(path) as SharedBytes", errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw SystemError("mapping \(path), which is no regular file", ENODEV)
    }
    let size = Int(status.st_size)
    // Files of the kernel's, as those in /proc, have no size, and bytes all the same.
    guard size > 0 else {
      try self.init(try Self.read(file.rawValue, path))
      return
    }
    do throws(MemoryError) {
      self.init(try SharedBlock(file: file, offset: 0, size: size, signature: Self.signature), 0..<size)
    } catch  where error.code == ENODEV {
      // Nor can all of those that have one be mapped.
      let number = millrace_file_own(path)
      guard number >= 0 else { throw SystemError("opening \(path) as SharedBytes", errno) }
      let again = Descriptor(owning: number)
      try self.init(try Self.read(again.rawValue, path))
    } catch {
      throw SystemError("mapping the \(size) bytes of \(path)", error.code)
    }
  }

  private static func read(_ file: Int32, _ path: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      var count = 0
      bytes += [UInt8](unsafeUninitializedCapacity: 64 << 10) { room, used in
        repeat { count = Self.readOnce(file, room) } while count < 0 && errno == EINTR
        used = Swift.max(0, count)
      }
      guard count >= 0 else { throw SystemError("reading \(path) as SharedBytes", errno) }
      if count == 0 { return bytes }
    }
  }

  private static func readOnce(_ file: Int32, _ room: UnsafeMutableBufferPointer<UInt8>) -> Int {
    #if canImport(Glibc)
    LibC.read(file, room.baseAddress, room.count)
    #else
    Musl.read(file, room.baseAddress, room.count)
    #endif
  }

  /// A copy of these bytes, in memory of its own.
  ///
  /// - Throws: ``SystemError`` if there is not so much memory, or no descriptor.
  public init(_ bytes: some Collection<UInt8>) throws {
    try self.init(count: bytes.count) { memory in
      _ = memory.initializeMemory(as: UInt8.self, fromContentsOf: bytes)
    }
  }

  /// So many bytes in memory of its own, which the closure writes; they are 0 before.
  ///
  /// - Throws: ``InvalidOption`` if `count` is below 0; ``SystemError`` if there is not so much memory, or no descriptor; what the closure
  ///   throws.
  public init(count: Int, initializingWith body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    try SharedObject.checkCount(count)
    let block = try SharedObject.make(.bytes, .constant, bytes: count, name: "SharedBytes")
    try body(UnsafeMutableRawBufferPointer(start: block.content, count: count))
    self.init(block, 0..<count)
  }

  // MARK: Reading

  /// The byte at an index. Traps beyond the ends, as an array does.
  public subscript(index: Int) -> UInt8 {
    guard index >= startIndex, index < endIndex else {
      SharedObject.outOfRange(index, of: count, from: startIndex, in: "SharedBytes")
    }
    return block.content.load(fromByteOffset: index, as: UInt8.self)
  }

  /// A slice, which is the same memory.
  public subscript(bounds: Range<Int>) -> SharedBytes {
    guard bounds.lowerBound >= startIndex, bounds.upperBound <= endIndex else {
      SharedObject.outOfRange(bounds, of: count, from: startIndex, in: "SharedBytes")
    }
    return SharedBytes(block, bounds)
  }

  /// Slices of so many bytes each, the last of what is left.
  ///
  /// - Throws: ``InvalidOption`` if that is not above 0.
  public func pieces(of size: Int) throws(InvalidOption) -> [SharedBytes] {
    guard size > 0 else { throw InvalidOption(name: "pieces(of:)", value: size, allowed: "1 or more bytes") }
    return stride(from: startIndex, to: endIndex, by: Swift.min(size, Swift.max(1, count)))
      .map { self[$0..<$0 + Swift.min(size, endIndex - $0)] }
  }

  /// Calls the body with the place of the bytes.
  public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    defer { withExtendedLifetime(block) {} }
    return try body(UnsafeRawBufferPointer(start: block.content + startIndex, count: count))
  }

  /// Calls the body with a view of the bytes.
  public func withSpan<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    defer { withExtendedLifetime(block) {} }
    return try body(Span(_unsafeStart: place, count: count))
  }

  /// Calls the body with all of it in one piece, which it always is.
  public func withContiguousStorageIfAvailable<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R? {
    defer { withExtendedLifetime(block) {} }
    return try body(UnsafeBufferPointer(start: place, count: count))
  }

  private var place: UnsafePointer<UInt8> {
    UnsafePointer((block.content + startIndex).assumingMemoryBound(to: UInt8.self))
  }
}

extension SharedBytes: InCommonMemory {}

extension SharedBytes: Codable {
  /// What came from another process: only Millrace's own coder for workers can bring it.
  public init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    let start = try container.decode(Int.self)
    let end = try container.decode(Int.self)
    let block = try SharedObject.decode(from: container.superDecoder(), Self.signature, name: "SharedBytes")
    guard start >= 0, start <= end, end <= block.token.size else {
      throw TransportError(.malformedValue, "What came is no SharedBytes", typeName: "SharedBytes")
    }
    self.init(block, start..<end)
  }

  /// Names it to another process, for Millrace's own coder for workers; throws a ``TransportError`` for any other.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    try container.encode(startIndex)
    try container.encode(endIndex)
    try SharedObject.encode(block, to: container.superEncoder(), name: "SharedBytes")
  }
}

extension SharedBytes: CustomStringConvertible {
  /// The type, and how much it holds.
  public var description: String { "SharedBytes(\(count) bytes)" }
}
