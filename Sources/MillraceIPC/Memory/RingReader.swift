internal import CMillrace

/// The reading end of a ring of bytes, for one thread of one process.
///
/// Nothing that the writer does to the shared words leads a read out of the ring: its index is checked when it is read,
/// and our own is never read back. What the bytes *say* may change under the reader if the writer is hostile, so whoever decodes
/// them reads each only once, or copies them first.
///
/// Sendable: it is moved between threads, never shared, because it can neither be copied nor used from two places.
package struct RingReader: ~Copyable, @unchecked Sendable {
  let lane: Lane  // keeps the memory mapped
  let words: RingWords
  let bytes: UnsafeMutableRawPointer
  let bell: Doorbell
  private let spin: UInt64

  package let capacity: Int

  /// Index of the first byte that is not consumed.
  var tail: UInt64

  /// The writer's index when it was last looked at; it is there by now, or further.
  var seenHead: UInt64

  init(lane: Lane, words: RingWords, bytes: UnsafeMutableRawPointer, capacity: Int, bell: Doorbell, spin: UInt64) {
    self.lane = lane
    self.words = words
    self.bytes = bytes
    self.bell = bell
    self.spin = spin
    self.capacity = capacity
    tail = millrace_load_acquire_u64(words.tail)
    seenHead = tail
  }

  /// Index of the next byte to be consumed.
  package var position: UInt64 { tail }

  /// Bytes that are known to be readable.
  var seenCount: Int { Int(truncatingIfNeeded: seenHead &- tail) }

  /// Where that is.
  package var next: UnsafeMutableRawPointer { bytes + Int(truncatingIfNeeded: tail & UInt64(capacity &- 1)) }

  /// Gives the first `count` bytes back to the writer, and wakes it if it waits for as much space as there is now.
  package mutating func consume(_ count: Int) {
    precondition(count >= 0 && count <= seenCount, "more bytes are consumed than were read")
    tail &+= UInt64(truncatingIfNeeded: count)
    millrace_store_release_u64(words.tail, tail)
    millrace_fence()
    let wanted = millrace_load_relaxed_u32(words.spaceWanted)
    if wanted != 0 && capacity &- seenCount >= Int(truncatingIfNeeded: wanted) { wakeWriter() }
  }

  /// Bytes after the committed ones that the writer had published as valid when it died.
  ///
  /// Call it once the writer is dead; before, they may still grow, or be withdrawn.
  package mutating func uncommitted() throws(ProtocolError) -> UnsafeRawBufferPointer {
    let end = millrace_load_acquire_u64(words.openEnd)
    try lookAtWriter()
    let count = end &- seenHead
    // Behind the head, by whatever distance: that frame was committed or abandoned.
    if Int64(bitPattern: count) <= 0 { return UnsafeRawBufferPointer(start: nil, count: 0) }
    guard count <= UInt64(capacity &- seenCount) else { throw .index(writer: end, reader: tail, capacity: capacity) }
    let start = bytes + Int(truncatingIfNeeded: seenHead & UInt64(capacity &- 1))
    return UnsafeRawBufferPointer(start: start, count: Int(count))
  }

  /// Sleeps until there is something to read; for the side whose word is a futex.
  package mutating func waitForData(
    until deadline: UInt64 = MonotonicTime.never
  ) throws(ProtocolError) -> WaitResult {
    if try hasData() { return .ready }
    let words = words
    return try words.sleep(
      on: words.dataWanted, wanting: 1, spin: spin, until: deadline
    ) { () throws(ProtocolError) in try hasData() }
  }

  /// Says that this side is about to sleep until there is data.
  ///
  /// False if there is some: then it must not sleep.
  package mutating func arm() throws(ProtocolError) -> Bool {
    millrace_store_relaxed_u32(words.dataWanted, 1)
    millrace_fence()
    if try !hasData() { return true }
    disarm()
    return false
  }

  /// Says that this side is awake.
  package func disarm() { millrace_store_relaxed_u32(words.dataWanted, 0) }

  /// Whether there is something to read.
  package mutating func hasData() throws(ProtocolError) -> Bool {
    if seenCount == 0 { try lookAtWriter() }
    return seenCount != 0
  }

  @inline(never) @usableFromInline
  func wakeWriter() { bell.wake(words.spaceWanted) }

  @inline(never) @usableFromInline
  mutating func lookAtWriter() throws(ProtocolError) {
    let head = millrace_load_acquire_u64(words.head)
    guard head &- tail <= UInt64(capacity), head &- tail >= seenHead &- tail else {
      throw .index(writer: head, reader: tail, capacity: capacity)
    }
    seenHead = head
  }
}
