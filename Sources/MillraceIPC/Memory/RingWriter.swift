public import CMillrace

/// The writing end of a ring of bytes, for one thread of one process.
///
/// Indices count bytes from the ring's beginning and only grow; the place in memory is the index modulo the capacity.
/// Nothing that the reader does to the shared words leads a write out of the ring: its index is checked when it is read,
/// and our own is never read back.
///
/// Sendable: it is moved between threads, never shared, because it can neither be copied nor used from two places.
@usableFromInline
package struct RingWriter: ~Copyable, @unchecked Sendable {
  private let lane: Lane  // keeps the memory mapped
  @usableFromInline let words: RingWords
  @usableFromInline let bytes: UnsafeMutableRawPointer
  private let bell: Doorbell
  private let spin: UInt64

  @usableFromInline package let capacity: Int

  /// Index of the first byte that is not committed.
  @usableFromInline var head: UInt64

  /// The reader's index when it was last looked at; it is there by now, or further.
  @usableFromInline var seenTail: UInt64

  init(lane: Lane, words: RingWords, bytes: UnsafeMutableRawPointer, capacity: Int, bell: Doorbell, spin: UInt64) {
    self.lane = lane
    self.words = words
    self.bytes = bytes
    self.bell = bell
    self.spin = spin
    self.capacity = capacity
    head = millrace_load_acquire_u64(words.head)
    seenTail = head &- UInt64(capacity)  // as if it were full; the first look at the reader's index tells
  }

  /// Index of the next byte to be committed: where the next frame will be.
  package var position: UInt64 { head }

  /// Bytes that could be written now, at least.
  @inlinable var seenSpace: Int { capacity &- Int(truncatingIfNeeded: head &- seenTail) }

  /// Room for `count` bytes in one piece, or nil if there is not as much now.
  ///
  /// Nothing is seen before `commit`; the same room is given again if more is asked for, with what was written there.
  @inlinable
  package mutating func reserve(_ count: Int) throws(ProtocolError) -> UnsafeMutableRawPointer? {
    if seenSpace < count {
      try lookAtReader()
      if seenSpace < count { return nil }
    }
    return bytes + Int(truncatingIfNeeded: head & UInt64(capacity &- 1))
  }

  /// Hands the first `count` reserved bytes to the reader, and wakes it if it sleeps.
  package mutating func commit(_ count: Int) {
    advance(count)
    publishHead()
  }

  /// The first `count` reserved bytes are written, and will be handed over with what follows them.
  package mutating func advance(_ count: Int) {
    precondition(count >= 0 && count <= seenSpace, "more bytes are committed than were reserved")
    head &+= UInt64(truncatingIfNeeded: count)
  }

  /// Hands over what is written, and wakes the reader if it sleeps.
  package mutating func publishHead() {
    millrace_store_release_u64(words.head, head)
    millrace_fence()
    if millrace_load_relaxed_u32(words.dataWanted) != 0 { bell.wake(words.dataWanted) }
  }

  /// Says that the first `count` bytes after the committed ones are valid, though not committed: what may be salvaged
  /// if this process dies now.
  @inlinable
  package func publish(_ count: Int) {
    millrace_store_release_u64(words.openEnd, head &+ UInt64(truncatingIfNeeded: count))
  }

  /// Sleeps until `count` bytes can be reserved; for the side whose word is a futex.
  package mutating func waitForSpace(
    _ count: Int, until deadline: UInt64 = MonotonicTime.never
  ) throws(ProtocolError) -> WaitResult {
    precondition(count <= capacity, "\(count) bytes never fit into a ring of \(capacity)")
    if try reserve(count) != nil { return .ready }
    let words = words
    return try words.sleep(
      on: words.spaceWanted, wanting: wakeSpace(count), spin: spin, until: deadline
    ) { () throws(ProtocolError) in try reserve(count) != nil }
  }

  /// Says that this side is about to sleep until `count` bytes are free.
  ///
  /// False if they are: then it must not sleep.
  package mutating func arm(_ count: Int) throws(ProtocolError) -> Bool {
    precondition(count <= capacity, "\(count) bytes never fit into a ring of \(capacity)")
    millrace_store_relaxed_u32(words.spaceWanted, wakeSpace(count))
    millrace_fence()
    if try reserve(count) == nil { return true }
    disarm()
    return false
  }

  /// Says that this side is awake.
  package func disarm() { millrace_store_relaxed_u32(words.spaceWanted, 0) }

  /// A writer that sleeps wants a quarter of the ring, so that it is not woken for each small frame that is read.
  ///
  /// A reader never keeps bytes while it waits for more, so it will get there.
  private func wakeSpace(_ count: Int) -> UInt32 { UInt32(max(count, capacity / 4)) }

  @inline(never) @usableFromInline
  mutating func lookAtReader() throws(ProtocolError) {
    let tail = millrace_load_acquire_u64(words.tail)
    guard tail &- seenTail <= head &- seenTail else {
      throw .index(writer: head, reader: tail, capacity: capacity)
    }
    seenTail = tail
  }
}
