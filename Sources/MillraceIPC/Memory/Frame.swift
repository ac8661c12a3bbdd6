internal import CMillrace

/// What every frame begins with: 32 bytes, of which all but the length and the claim are the caller's, as what the words mean is.
///
/// ```
///  0 length  UInt32    bytes of payload; the next frame begins at the next multiple of 8
///  4 kind    UInt16
///  6 flags   UInt16
///  8 a       UInt32
/// 12 claim   UInt32    atomic; see `Claim`
/// 16 b       UInt64
/// 24 c       UInt64
/// ```
@usableFromInline
package struct FrameHeader: Equatable, Sendable {
  package var kind: UInt16
  package var flags: UInt16
  package var a: UInt32
  package var b: UInt64
  package var c: UInt64

  package init(kind: UInt16, flags: UInt16 = 0, a: UInt32 = 0, b: UInt64 = 0, c: UInt64 = 0) {
    self.kind = kind
    self.flags = flags
    self.a = a
    self.b = b
    self.c = c
  }

  /// Bytes of a header.
  @inlinable package static var size: Int { 32 }

  static var claimOffset: Int { 12 }

  /// Bytes of ring that a frame with this much payload takes.
  @inlinable package static func frameSize(payload: Int) -> Int { size + (payload + 7) & ~7 }

  /// Everything but the claim, which others may be changing.
  init(at place: UnsafeRawPointer) {
    kind = place.load(fromByteOffset: 4, as: UInt16.self)
    flags = place.load(fromByteOffset: 6, as: UInt16.self)
    a = place.load(fromByteOffset: 8, as: UInt32.self)
    b = place.load(fromByteOffset: 16, as: UInt64.self)
    c = place.load(fromByteOffset: 24, as: UInt64.self)
  }

  func store(at place: UnsafeMutableRawPointer, length: UInt32) {
    place.storeBytes(of: length, as: UInt32.self)
    place.storeBytes(of: kind, toByteOffset: 4, as: UInt16.self)
    place.storeBytes(of: flags, toByteOffset: 6, as: UInt16.self)
    place.storeBytes(of: a, toByteOffset: 8, as: UInt32.self)
    place.storeBytes(of: Claim.queued, toByteOffset: Self.claimOffset, as: UInt32.self)
    place.storeBytes(of: b, toByteOffset: 16, as: UInt64.self)
    place.storeBytes(of: c, toByteOffset: 24, as: UInt64.self)
  }
}

/// Who a request belongs to.
///
/// Both sides may want it at once, and exactly one gets it: the worker, by claiming it before it begins, or the parent,
/// by revoking it to give it to another worker.
package enum Claim {
  package static let queued: UInt32 = 0
  package static let claimed: UInt32 = 1
  package static let revoked: UInt32 = 2
}

/// A frame in the ring, seen by its reader; valid until the reader asks for the next one.
package struct Frame {
  package let header: FrameHeader

  /// In the ring's own memory.
  package let payload: UnsafeRawBufferPointer

  /// Where the frame is: the index of its first byte.
  package let position: UInt64

  let claimWord: UnsafeMutablePointer<UInt32>

  init(at place: UnsafeMutableRawPointer, length: Int, position: UInt64) {
    header = FrameHeader(at: place)
    payload = UnsafeRawBufferPointer(start: place + FrameHeader.size, count: length)
    self.position = position
    claimWord = (place + FrameHeader.claimOffset).assumingMemoryBound(to: UInt32.self)
  }

  /// The worker takes the request.
  ///
  /// False if the parent has revoked it: it must be skipped then.
  package func claim() -> Bool { millrace_swap_u32(claimWord, Claim.queued, Claim.claimed) != 0 }
}
