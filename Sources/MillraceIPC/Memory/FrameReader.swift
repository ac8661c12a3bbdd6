internal import CMillrace

/// Reads frames from a ring.
///
/// A frame is a view of the ring's memory, and is valid until the next one is asked for, or `finish` is called.
package struct FrameReader: ~Copyable, Sendable {
  package var ring: RingReader

  /// Bytes of the frame that the caller has, which it gives back by asking for the next.
  var current = 0

  init(_ ring: consuming RingReader) { self.ring = ring }

  /// The next frame, or nil if there is none now.
  package mutating func next() throws(ProtocolError) -> Frame? {
    finish()
    if ring.seenCount == 0 {
      try ring.lookAtWriter()
      if ring.seenCount == 0 { return nil }
    }
    let available = ring.seenCount
    guard available >= FrameHeader.size else { throw .frame(length: FrameHeader.size, available: available) }
    let place = ring.next
    // Read once: a hostile writer may change it after it was checked.
    let length = Int(place.load(as: UInt32.self))
    let size = FrameHeader.frameSize(payload: length)
    guard size <= available else { throw .frame(length: size, available: available) }
    current = size
    return Frame(at: place, length: length, position: ring.position)
  }

  /// The next request, claimed for this worker; those that the parent has revoked are skipped.
  ///
  /// Nil if there is none now.
  package mutating func nextClaimed() throws(ProtocolError) -> Frame? {
    while let frame = try next() {
      if frame.claim() { return frame }
    }
    return nil
  }

  /// Gives the space of the last frame back to the writer now; its payload is no longer valid.
  package mutating func finish() {
    if current != 0 {
      let size = current
      current = 0
      ring.consume(size)
    }
  }

  /// The frame that the writer had open when it died, as far as it had published it; nil if there is none.
  ///
  /// For a writer that is dead, after `next` has given nil.
  package mutating func uncommitted() throws(ProtocolError) -> Frame? {
    finish()
    let bytes = try ring.uncommitted()
    guard let start = bytes.baseAddress else { return nil }
    guard bytes.count >= FrameHeader.size else { throw .frame(length: FrameHeader.size, available: bytes.count) }
    return Frame(
      at: UnsafeMutableRawPointer(mutating: start), length: bytes.count - FrameHeader.size,
      position: ring.seenHead)
  }

  /// Sleeps until there is a frame.
  ///
  /// The last one is given back first, so that a writer without space is not waited for.
  package mutating func waitForData(
    until deadline: UInt64 = MonotonicTime.never
  ) throws(ProtocolError) -> WaitResult {
    finish()
    return try ring.waitForData(until: deadline)
  }

  /// Says that this side is about to sleep until there is a frame.
  ///
  /// False if there is one: then it must not sleep.
  package mutating func arm() throws(ProtocolError) -> Bool {
    finish()
    return try ring.arm()
  }
}
