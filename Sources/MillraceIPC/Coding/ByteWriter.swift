#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A growable buffer of raw bytes, made to be emptied and filled again without a new allocation.
///
/// It owns its memory, so it cannot be copied. Nothing in it is aligned.
@usableFromInline package struct ByteWriter: ~Copyable {
  /// The first byte.
  ///
  /// It stays where it is until the writer grows.
  @usableFromInline package var base: UnsafeMutableRawPointer
  /// How many bytes are written.
  @usableFromInline package var count = 0
  /// How many bytes fit before the next allocation.
  @usableFromInline package var capacity = 0

  /// An empty writer; it allocates with its first byte, unless a capacity is given.
  @inlinable package init(capacity: Int = 0) {
    // Never read or written: `capacity` is 0.
    base = UnsafeMutableRawPointer(bitPattern: 16)!
    if capacity > 0 { grow(to: capacity) }
  }

  deinit {
    if capacity > 0 { free(base) }
  }

  /// The bytes written so far; valid until the writer is changed.
  @inlinable package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// Makes room for `additional` more bytes.
  @inlinable package mutating func reserve(_ additional: Int) {
    if additional > capacity - count { grow(to: count + additional) }
  }

  /// Makes room for `additional` more bytes, or says that there is no memory for them: for what may be large.
  @inlinable @inline(__always) package mutating func makeRoom(for additional: Int) throws {
    if additional > capacity - count { try growOrThrow(by: additional) }
  }

  @usableFromInline mutating func growOrThrow(by additional: Int) throws {
    guard additional <= .max - count, hasGrown(to: count + additional) else {
      throw MemoryError("allocating \(additional) bytes for encoded data", code: ENOMEM)
    }
  }

  /// Appends the bytes of one value.
  @inlinable package mutating func append<T: BitwiseCopyable>(_ value: T) {
    reserve(MemoryLayout<T>.size)
    storeReserved(value)
  }

  /// Appends the bytes of one value where `reserve` has made room already.
  @inlinable @inline(__always) package mutating func storeReserved<T: BitwiseCopyable>(_ value: T) {
    base.storeBytes(of: value, toByteOffset: count, as: T.self)
    count += MemoryLayout<T>.size
  }

  /// Appends a copy of `bytes`.
  @inlinable package mutating func append(contentsOf bytes: UnsafeRawBufferPointer) {
    reserve(bytes.count)
    if let source = bytes.baseAddress { (base + count).copyMemory(from: source, byteCount: bytes.count) }
    count += bytes.count
  }

  /// Appends `byteCount` bytes that the caller fills in before anything else happens to the writer.
  @inlinable package mutating func appendUninitialized(_ byteCount: Int) -> UnsafeMutableRawPointer {
    reserve(byteCount)
    defer { count += byteCount }
    return base + count
  }

  /// Appends a number in seven-bit groups, the lowest first: one byte below 128.
  @inlinable package mutating func append(varint value: Int) {
    reserve(10)
    var rest = UInt(bitPattern: value)
    while rest > 0x7F {
      storeReserved(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    storeReserved(UInt8(truncatingIfNeeded: rest))
  }

  /// Replaces bytes that are written already.
  @inlinable package mutating func replace<T: BitwiseCopyable>(at offset: Int, with value: T) {
    precondition(offset >= 0 && offset + MemoryLayout<T>.size <= count)
    base.storeBytes(of: value, toByteOffset: offset, as: T.self)
  }

  /// Forgets everything from `offset` on.
  @inlinable package mutating func truncate(to offset: Int) {
    count = min(count, max(0, offset))
  }

  /// Forgets all bytes and keeps the memory.
  @inlinable package mutating func removeAll() { count = 0 }

  /// Gives the memory back when it has grown above `limit` bytes, so that one huge item does not weigh for ever.
  package mutating func trim(above limit: Int) {
    guard capacity > limit else { return }
    self = ByteWriter()
  }

  /// Moves the bytes from `source` to the end in front of those that begin at `target`.
  package mutating func moveTail(from source: Int, to target: Int) {
    precondition(0 <= target && target <= source && source <= count)
    let length = count - source
    guard length > 0, target < source else { return }
    reserve(length)
    (base + target + length).copyMemory(from: base + target, byteCount: count - target)
    // The tail has moved with the rest and now begins at `source + length`.
    (base + target).copyMemory(from: base + source + length, byteCount: length)
  }

  @usableFromInline mutating func grow(to needed: Int) {
    guard hasGrown(to: needed) else { fatalError("Millrace: no memory for \(needed) bytes of encoded data") }
  }

  /// Takes twice what it has, so that it seldom grows, or where there is not so much, what is needed; false if there is not even that.
  private mutating func hasGrown(to needed: Int) -> Bool {
    var size = max(needed, capacity &* 2, 256)
    var memory = realloc(capacity > 0 ? base : nil, size)
    if memory == nil, size > needed {
      size = needed
      memory = realloc(capacity > 0 ? base : nil, size)
    }
    guard let memory else { return false }
    base = memory
    capacity = size
    return true
  }
}

// Sole owner of its memory: whoever has the writer has the bytes.
extension ByteWriter: @unchecked Sendable {}
