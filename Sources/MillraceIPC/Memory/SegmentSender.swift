/// Where a large payload goes.
package struct Placement {
  /// To be named in the frame.
  package let id: UInt32

  /// To be passed to the peer with the id, because it does not know the segment yet; nil if it does.
  ///
  /// Borrowed, and valid until the sender is used again.
  package let newDescriptor: Int32?

  /// Where the payload is to be written, before the frame is committed.
  package let buffer: UnsafeMutableRawBufferPointer
}

/// Sends payloads that are large for a ring, each in a memory file of its own.
///
/// Segments are recycled when the receiver has released them, because fresh pages cost some 3 to 13 µs each, many times the copy of
/// what is in them. For one thread at a time.
///
/// Sendable, because it is moved, never shared: it cannot be copied, and nobody else has its segments.
package struct SegmentSender: ~Copyable, @unchecked Sendable {
  /// How many bytes of segments are kept for later use.
  package let idleLimit: Int

  private var segments: [OwnedSegment] = []
  private var retired: [UInt32] = []
  private var lastID: UInt32 = 0

  package init(idleLimit: Int = 256 << 20) { self.idleLimit = idleLimit }

  /// A segment for `length` bytes, a free one if one fits, else a new one.
  ///
  /// It is busy until the peer releases it. Throws `MemoryError` if there is not enough memory; then nothing has changed.
  package mutating func place(_ length: Int) throws(MemoryError) -> Placement {
    let segment = if let free = free(for: length) { free } else { try create(for: length) }
    do throws(MemoryError) {
      try segment.populate(length)
    } catch {
      // What is idle may be what is missing. The segment itself is idle too, until it is marked.
      try makeRoom(keeping: segment, or: error)
      try segment.populate(length)
    }
    segment.mark(busy: true)
    trim(to: idleLimit)
    let isNew = !segment.isAnnounced
    segment.isAnnounced = true
    return Placement(
      id: segment.id, newDescriptor: isNew ? segment.memory.descriptor : nil,
      buffer: UnsafeMutableRawBufferPointer(start: segment.mapping.base, count: length))
  }

  /// Takes back a segment whose payload the peer will never look at: its frame was not sent, or was revoked.
  ///
  /// - Parameter isAnnounced: whether the peer knows the segment.
  package mutating func cancel(_ id: UInt32, isAnnounced: Bool) {
    guard let segment = segments.first(where: { $0.id == id }) else { return }
    segment.isAnnounced = isAnnounced
    segment.mark(busy: false)
  }

  /// The segment was announced to a peer that is never replaced: its descriptor is closed.
  package mutating func letGo(_ id: UInt32) { segments.first { $0.id == id }?.letGo() }

  /// Drops idle segments, the largest first, until at most `limit` bytes of them are left.
  package mutating func trim(to limit: Int) {
    drop(sparing: nil, to: limit)
  }

  /// Tells the peer which segments were dropped, for it to drop them too: their memory is there until it does.
  ///
  /// - Parameter tell: false if there is no room for it now; then it is told the next time.
  package mutating func tellRetired(_ tell: (UInt32) throws -> Bool) rethrows {
    while let id = retired.last, try tell(id) { retired.removeLast() }
  }

  /// Bytes of segments that nobody uses, and of all.
  package var sizes: (idle: Int, all: Int) {
    var sizes = (idle: 0, all: 0)
    for segment in segments {
      sizes.all += segment.capacity
      if segment.isFree { sizes.idle += segment.capacity }
    }
    return sizes
  }

  /// The smallest free segment that fits, but none that is far too large: a large payload may want that one next.
  private func free(for length: Int) -> OwnedSegment? {
    let most = 4 * SegmentLayout.capacity(holding: length)
    var best: OwnedSegment?
    for segment in segments where segment.capacity >= length && segment.capacity <= most {
      if segment.capacity < best?.capacity ?? .max, segment.isFree { best = segment }
    }
    return best
  }

  private mutating func create(for length: Int) throws(MemoryError) -> OwnedSegment {
    let capacity = SegmentLayout.capacity(holding: length)
    let segment: OwnedSegment
    do throws(MemoryError) {
      segment = try OwnedSegment(id: lastID + 1, capacity: capacity)
    } catch {
      try makeRoom(keeping: nil, or: error)
      segment = try OwnedSegment(id: lastID + 1, capacity: capacity)
    }
    lastID += 1
    segments.append(segment)
    return segment
  }

  /// Drops all that is idle, or throws `error` if nothing is.
  private mutating func makeRoom(keeping spared: OwnedSegment?, or error: MemoryError) throws(MemoryError) {
    let before = segments.count
    drop(sparing: spared, to: 0)
    if segments.count == before { throw error }
  }

  private mutating func drop(sparing spared: OwnedSegment?, to limit: Int) {
    var idle = 0
    for segment in segments where segment !== spared && segment.isFree { idle += segment.capacity }
    guard idle > limit else { return }
    for segment in segments.sorted(by: { $0.capacity > $1.capacity }) where idle > limit {
      guard segment !== spared, segment.isFree else { continue }
      idle -= segment.capacity
      segments.removeAll { $0 === segment }
      if segment.isAnnounced { retired.append(segment.id) }
    }
  }
}
