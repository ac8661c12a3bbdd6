internal import CMillrace

/// Reads payloads that a peer's `SegmentSender` placed.
///
/// For one thread at a time.
///
/// The peer may be hostile: a segment is taken only if it can no longer shrink, no read goes beyond what is mapped, and there
/// are limits to what it makes us map. As with a ring, what the bytes *say* may change while they are read.
///
/// Sendable, because it is moved, never shared: it cannot be copied.
package struct SegmentReceiver: ~Copyable, @unchecked Sendable {
  /// How many segments, and how many bytes of them, the peer may have at once.
  package let countLimit: Int
  package let byteLimit: Int

  private var segments: [UInt32: AdoptedSegment] = [:]
  private var bytes = 0

  package init(countLimit: Int = 4096, byteLimit: Int = 1 << 40) {
    self.countLimit = countLimit
    self.byteLimit = byteLimit
  }

  /// Maps a segment that the peer announced.
  ///
  /// The descriptor is owned from here on, also when this throws, and is closed before it returns: the mapping keeps the memory.
  /// Where there is no memory to map it now, it is kept, and `resolve` tries again.
  package mutating func adopt(_ id: UInt32, descriptor: Int32) throws {
    let memory = try SharedMemory(adopting: descriptor)
    guard segments[id] == nil else { throw ProtocolError.segment(id, "announced twice") }
    guard segments.count < countLimit else { throw ProtocolError.segment(id, "more than \(countLimit) segments") }
    let capacity = memory.size - SharedMemory.pageSize
    guard capacity > 0, memory.size % SharedMemory.pageSize == 0 else {
      throw ProtocolError.segment(id, "\(memory.size) bytes are no segment")
    }
    // A sender fills a segment for its first payload, which takes two thirds of it at least; holes cost it nothing, and
    // would have us make room for a payload that is not there.
    guard capacity <= SegmentLayout.smallest || memory.presentBytes >= capacity / 2 else {
      throw ProtocolError.segment(id, "\(capacity) bytes of which \(memory.presentBytes) are there")
    }
    guard capacity <= byteLimit - bytes else {
      throw ProtocolError.segment(id, "more than \(byteLimit) bytes of segments")
    }
    segments[id] = try AdoptedSegment(memory, capacity: capacity)
    bytes += capacity
  }

  /// Whether the segment was announced: a frame may arrive before the descriptor does.
  package func contains(_ id: UInt32) -> Bool { segments[id] != nil }

  /// The first `length` bytes of a segment, valid until it is released.
  ///
  /// - Throws: a `ProtocolError`; or a `MemoryError`, which is not the peer's fault: the segment is held, and has to be released.
  package mutating func resolve(_ id: UInt32, length: Int) throws -> UnsafeRawBufferPointer {
    guard let segment = segments[id] else { throw ProtocolError.segment(id, "never announced") }
    guard !segment.isHeld else { throw ProtocolError.segment(id, "sent again before it was released") }
    guard length >= 0 && length <= segment.capacity else {
      throw ProtocolError.segment(id, "\(length) bytes in a segment of \(segment.capacity)")
    }
    segment.isHeld = true
    return UnsafeRawBufferPointer(start: try segment.mapped(), count: length)
  }

  /// Gives a segment back to the sender, which may overwrite it at once.
  package mutating func release(_ id: UInt32) {
    guard let segment = segments[id], segment.isHeld else { preconditionFailure("segment \(id) is not held") }
    segment.isHeld = false
    segment.markFree()
  }

  /// Unmaps a segment that the sender has retired.
  ///
  /// One that is not known is none of our business any more.
  package mutating func drop(_ id: UInt32) throws(ProtocolError) {
    guard let segment = segments[id] else { return }
    guard !segment.isHeld else { throw .segment(id, "retired before it was released") }
    segments[id] = nil
    bytes -= segment.capacity
  }
}

/// A segment as its receiver has it: the data to be read, the state to be written.
private final class AdoptedSegment {
  let capacity: Int
  private var base: UnsafeMutableRawPointer?
  private var data: MemoryMapping?
  /// Until it is mapped.
  private var memory: SharedMemory
  private let state: MemoryMapping
  var isHeld = false

  init(_ memory: consuming SharedMemory, capacity: Int) throws(MemoryError) {
    self.capacity = capacity
    state = try memory.map(offset: capacity, size: SharedMemory.pageSize)
    self.memory = memory
    _ = try? mapped()
  }

  /// Where the data is.
  func mapped() throws(MemoryError) -> UnsafeMutableRawPointer {
    if let base { return base }
    let mapping = try memory.map(size: capacity, writable: false)
    let base = mapping.base
    data = consume mapping
    self.base = base
    memory.letGo()
    return base
  }

  /// Release: all that was read of it was read before.
  func markFree() {
    millrace_store_release_u32(state.base.assumingMemoryBound(to: UInt32.self), SegmentLayout.free)
  }
}
