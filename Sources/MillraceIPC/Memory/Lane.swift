internal import CMillrace

/// The memory between the pool's process and one worker: a header page, a request ring and a response ring.
///
/// The parent makes it and passes `descriptor` to the worker, which maps it again. Each side then works through its
/// end, `ParentEnd` and `WorkerEnd`; there must be one of each, and each belongs to one thread at a time.
///
/// A lane has an owner, the process that opened it: a fork of that has no memory at these addresses.
///
/// Sendable, because it is only where the memory is: all that changes in it are atomic words and the bytes that they guard.
package final class Lane: @unchecked Sendable {
  package static let defaultRingCapacity = 256 << 10

  private var memory: SharedMemory
  private let mapping: MemoryMapping
  package let requestCapacity: Int
  package let responseCapacity: Int

  /// Makes a lane.
  ///
  /// Capacities are rounded up to a power of two of at least a page, at most 1 GiB.
  package init(
    ringCapacity: Int = defaultRingCapacity, responseCapacity: Int? = nil, epoch: UInt64 = 0
  ) throws(MemoryError) {
    requestCapacity = LaneLayout.capacity(holding: ringCapacity)
    self.responseCapacity = LaneLayout.capacity(holding: responseCapacity ?? ringCapacity)
    memory = try SharedMemory(
      size: SharedMemory.pageSize + requestCapacity + self.responseCapacity, name: "millrace-lane")
    mapping = try Self.map(memory, requestCapacity, self.responseCapacity)
    try mapping.populate(0..<SharedMemory.pageSize, of: memory)
    mapping.base.storeBytes(of: LaneLayout.magic, toByteOffset: LaneLayout.magicOffset, as: UInt64.self)
    mapping.base.storeBytes(of: LaneLayout.version, toByteOffset: LaneLayout.versionOffset, as: UInt32.self)
    mapping.base.storeBytes(
      of: UInt32(SharedMemory.pageSize), toByteOffset: LaneLayout.headerSizeOffset, as: UInt32.self)
    mapping.base.storeBytes(
      of: UInt64(requestCapacity), toByteOffset: LaneLayout.requestCapacityOffset, as: UInt64.self)
    mapping.base.storeBytes(
      of: UInt64(self.responseCapacity), toByteOffset: LaneLayout.responseCapacityOffset, as: UInt64.self)
    mapping.base.storeBytes(of: epoch, toByteOffset: LaneLayout.epochOffset, as: UInt64.self)
  }

  /// Maps a lane that the parent made.
  ///
  /// The descriptor is owned from here on, also when this throws.
  ///
  /// Throws `ProtocolError.lane` if it is not a lane of this build, `MemoryError` if the system fails.
  package init(mapping descriptor: Int32) throws {
    memory = try SharedMemory(adopting: descriptor)
    guard memory.size >= SharedMemory.pageSize else { throw ProtocolError.lane("\(memory.size) bytes are too few") }
    let header = try memory.map(size: SharedMemory.pageSize)
    let magic = header.base.load(fromByteOffset: LaneLayout.magicOffset, as: UInt64.self)
    guard magic == LaneLayout.magic else { throw ProtocolError.lane("wrong magic number") }
    let version = header.base.load(fromByteOffset: LaneLayout.versionOffset, as: UInt32.self)
    guard version == LaneLayout.version else {
      throw ProtocolError.lane("version \(version), this is \(LaneLayout.version)")
    }
    let headerSize = header.base.load(fromByteOffset: LaneLayout.headerSizeOffset, as: UInt32.self)
    guard headerSize == UInt32(SharedMemory.pageSize) else { throw ProtocolError.lane("header of \(headerSize) bytes") }
    func capacity(at offset: Int) throws -> Int {
      let value = header.base.load(fromByteOffset: offset, as: UInt64.self)
      guard let value = Int(exactly: value), LaneLayout.capacities.contains(value), value & (value - 1) == 0 else {
        throw ProtocolError.lane("ring of \(value) bytes")
      }
      return value
    }
    requestCapacity = try capacity(at: LaneLayout.requestCapacityOffset)
    responseCapacity = try capacity(at: LaneLayout.responseCapacityOffset)
    guard memory.size == SharedMemory.pageSize + requestCapacity + responseCapacity else {
      throw ProtocolError.lane("\(memory.size) bytes do not hold its rings")
    }
    for offset in [
      LaneLayout.requestsOffset + LaneLayout.tailOffset, LaneLayout.responsesOffset + LaneLayout.headOffset,
    ] {
      let index = header.base.load(fromByteOffset: offset, as: UInt64.self)
      guard index & 7 == 0 else { throw ProtocolError.lane("a frame at \(index)") }
    }
    self.mapping = try Self.map(memory, requestCapacity, responseCapacity)
    // A descriptor that is not there cannot be written to by mistake.
    memory.letGo()
  }

  private static func map(
    _ memory: borrowing SharedMemory, _ requests: Int, _ responses: Int
  ) throws(MemoryError) -> MemoryMapping {
    let header = SharedMemory.pageSize
    let mapping = try MemoryMapping(reserving: header + 2 * requests + 2 * responses)
    // The header and the first view of the request ring are neighbours in the file too.
    try mapping.map(memory, offset: 0, size: header + requests, at: 0)
    try mapping.map(memory, offset: header, size: requests, at: header + requests)
    let place = header + 2 * requests
    try mapping.map(memory, offset: header + requests, size: responses, at: place)
    try mapping.map(memory, offset: header + requests, size: responses, at: place + responses)
    return mapping
  }

  /// To be passed to the worker; borrowed, it stays the lane's, which made it.
  package var descriptor: Int32 { memory.descriptor }

  /// Which life of the slot the lane belongs to.
  package var epoch: UInt64 { millrace_load_relaxed_u64(word(LaneLayout.epochOffset)) }

  /// Where all of it is in this process.
  package var addresses: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: mapping.base, count: mapping.size) }

  /// 256 bytes that no one else touches, for what a dying worker has to say.
  package var crashRecord: UnsafeMutableRawPointer { mapping.base + LaneLayout.crashRecordOffset }

  package static var crashRecordSize: Int { LaneLayout.crashRecordSize }

  /// Ends the worker's sleep: its waits return `.closed` once there is nothing left for them.
  ///
  /// The parent calls it, or a thread of the worker that sees that the parent is gone. It is one more waker in `Doorbell`'s
  /// reasoning. The parent's words are left alone: whoever sleeps on an event descriptor would miss them.
  package func close() {
    millrace_store_relaxed_u32(closedWord, 1)
    millrace_fence()
    for word in [requestWords.dataWanted, responseWords.spaceWanted] where millrace_exchange_u32(word, 0) != 0 {
      millrace_futex_wake(word)
    }
  }

  package var isClosed: Bool { millrace_load_relaxed_u32(closedWord) != 0 }

  func word<Word>(_ offset: Int) -> UnsafeMutablePointer<Word> {
    (mapping.base + offset).assumingMemoryBound(to: Word.self)
  }

  private var closedWord: UnsafeMutablePointer<UInt32> { word(LaneLayout.closedOffset) }

  var requestWords: RingWords { ringWords(LaneLayout.requestsOffset) }

  var responseWords: RingWords { ringWords(LaneLayout.responsesOffset) }

  private func ringWords(_ offset: Int) -> RingWords {
    RingWords(
      head: word(offset + LaneLayout.headOffset), openEnd: word(offset + LaneLayout.openEndOffset),
      tail: word(offset + LaneLayout.tailOffset), dataWanted: word(offset + LaneLayout.dataWantedOffset),
      spaceWanted: word(offset + LaneLayout.spaceWantedOffset), closed: closedWord)
  }

  var requestBytes: UnsafeMutableRawPointer { mapping.base + SharedMemory.pageSize }

  var responseBytes: UnsafeMutableRawPointer { requestBytes + 2 * requestCapacity }
}
