internal import CMillrace

/// Writes frames to a ring: `begin`, any number of `append`, `commit`; or `send`, for all of it at once.
///
/// One frame can be open at a time. Nothing waits: what does not fit now is refused whole, and the caller waits for space.
@usableFromInline
package struct FrameWriter: ~Copyable, Sendable {
  @usableFromInline package var ring: RingWriter

  /// Bytes of the open frame, its header included; 0 if none is open.
  @usableFromInline var open = 0

  init(_ ring: consuming RingWriter) { self.ring = ring }

  /// Where the open frame is, or the next one will be.
  package var position: UInt64 { ring.position }

  /// Payload of the open frame so far.
  @inlinable package var openPayload: Int { max(0, open &- FrameHeader.size) }

  /// Opens a frame.
  ///
  /// False if there is no space for its header now.
  package mutating func begin(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    precondition(open == 0, "the last frame is still open")
    guard let place = try ring.reserve(FrameHeader.size) else { return false }
    header.store(at: place, length: 0)
    open = FrameHeader.size
    return true
  }

  /// Room for `count` more bytes of payload, which count as written; nil if there is not as much space now.
  @inlinable
  package mutating func append(count: Int) throws(ProtocolError) -> UnsafeMutableRawPointer? {
    precondition(open != 0 && count >= 0, "no frame is open")
    // The padding is reserved with it, so that `commit` cannot fail.
    guard let place = try ring.reserve(FrameHeader.frameSize(payload: openPayload &+ count)) else { return nil }
    let room = place + open
    open &+= count
    return room
  }

  /// Adds payload.
  ///
  /// False if there is not enough space now; then nothing of it is written. There never will be for more than
  /// a ring holds.
  @inlinable
  package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(ProtocolError) -> Bool {
    guard let room = try append(count: bytes.count) else { return false }
    if let start = bytes.baseAddress { room.copyMemory(from: start, byteCount: bytes.count) }
    return true
  }

  /// Takes back payload beyond `count` bytes, for a value that turned out not to fit.
  ///
  /// It must not have been published.
  package mutating func truncate(toPayload count: Int) {
    precondition(open != 0 && count >= 0 && count <= openPayload, "not within the open frame")
    open = FrameHeader.size &+ count
  }

  /// Changes the header of the open frame, before it is committed.
  package mutating func update(_ header: FrameHeader) throws(ProtocolError) {
    precondition(open != 0, "no frame is open")
    if let place = try ring.reserve(open) { header.store(at: place, length: 0) }
  }

  /// What the open frame holds so far is valid, and may be salvaged if this process dies before it commits.
  @inlinable
  package func publish() { ring.publish(open) }

  /// Hands the frame to the reader.
  ///
  /// Returns its position.
  @discardableResult
  package mutating func commit() throws(ProtocolError) -> UInt64 {
    precondition(open != 0, "no frame is open")
    let position = ring.position
    let size = FrameHeader.frameSize(payload: openPayload)
    guard let place = try ring.reserve(size) else { preconditionFailure("`append` reserves what it writes") }
    place.storeBytes(of: UInt32(truncatingIfNeeded: openPayload), as: UInt32.self)
    open = 0
    ring.commit(size)
    return position
  }

  /// Forgets the open frame.
  package mutating func abandon() {
    open = 0
    ring.publish(0)
  }

  /// Writes a whole frame.
  ///
  /// Returns its position, or nil if it does not fit now.
  package mutating func send(
    _ header: FrameHeader, _ payload: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
  ) throws(ProtocolError) -> UInt64? {
    precondition(open == 0, "a frame is open")
    let size = FrameHeader.frameSize(payload: payload.count)
    guard let place = try ring.reserve(size) else { return nil }
    header.store(at: place, length: UInt32(truncatingIfNeeded: payload.count))
    if let start = payload.baseAddress {
      (place + FrameHeader.size).copyMemory(from: start, byteCount: payload.count)
    }
    let position = ring.position
    ring.commit(size)
    return position
  }

  /// Writes a whole frame of which `write` makes the payload, to be handed over by `handOver`, with others.
  ///
  /// Returns its position, or nil if it does not fit now.
  @inline(__always)
  package mutating func add(
    _ header: FrameHeader, payload count: Int, _ write: (UnsafeMutableRawPointer) -> Void
  ) throws(ProtocolError) -> UInt64? {
    precondition(open == 0, "a frame is open")
    let size = FrameHeader.frameSize(payload: count)
    guard let place = try ring.reserve(size) else { return nil }
    header.store(at: place, length: UInt32(truncatingIfNeeded: count))
    write(place + FrameHeader.size)
    let position = ring.position
    ring.advance(size)
    return position
  }

  /// Hands the frames over that were added.
  package mutating func handOver() { ring.publishHead() }

  /// Sleeps until the open frame can take `count` more bytes, or, if none is open, a frame with as much payload fits.
  package mutating func waitForSpace(
    _ count: Int, until deadline: UInt64 = MonotonicTime.never
  ) throws(ProtocolError) -> WaitResult {
    try ring.waitForSpace(FrameHeader.frameSize(payload: openPayload &+ count), until: deadline)
  }

  /// Says that this side is about to sleep until `count` more bytes of payload fit.
  ///
  /// False if they do: then it must not sleep.
  package mutating func arm(_ count: Int) throws(ProtocolError) -> Bool {
    try ring.arm(FrameHeader.frameSize(payload: openPayload &+ count))
  }

  /// Takes a request back that the worker has not begun.
  ///
  /// True if it is the caller's now: the worker will skip it.
  ///
  /// - Parameter position: what `commit` or `send` gave.
  package mutating func revoke(at position: UInt64) throws(ProtocolError) -> Bool {
    // A frame that was read is decided; its memory may hold another frame by now.
    try ring.lookAtReader()
    guard position &- ring.seenTail < ring.head &- ring.seenTail else { return false }
    let place = ring.bytes + Int(truncatingIfNeeded: position & UInt64(ring.capacity - 1)) + FrameHeader.claimOffset
    return millrace_swap_u32(place.assumingMemoryBound(to: UInt32.self), Claim.queued, Claim.revoked) != 0
  }
}
