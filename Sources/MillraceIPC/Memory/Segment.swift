internal import CMillrace

/// What a segment's memory file looks like: the data from its beginning, and one page after it with the state.
///
/// The page comes last, so that the data is aligned as well as can be, and the receiver can map the data for reading only.
package enum SegmentLayout {
  /// Less is not worth a memory file.
  package static let smallest = 64 << 10

  /// No payload is larger.
  package static let largest = 1 << 40

  /// Sizes are powers of two and one step between each two, so at most a third is unused, and few segments fit many
  /// payloads.
  package static func capacity(holding length: Int) -> Int {
    precondition(length >= 0 && length <= largest, "a payload of \(length) bytes is too large")
    var capacity = smallest
    while capacity < length { capacity *= 2 }
    let between = capacity / 4 * 3
    return between >= smallest && between >= length && between % SharedMemory.pageSize == 0 ? between : capacity
  }

  /// The state word: free from the receiver's release to the sender's next use.
  static let free: UInt32 = 0
  static let busy: UInt32 = 1
}

/// A segment as its sender has it.
final class OwnedSegment {
  let id: UInt32
  let capacity: Int
  private(set) var memory: SharedMemory
  let mapping: MemoryMapping

  /// Whether the peer has been told about it.
  var isAnnounced = false

  /// Bytes from the beginning whose pages are there.
  private var populated = 0

  init(id: UInt32, capacity: Int) throws(MemoryError) {
    self.id = id
    self.capacity = capacity
    memory = try SharedMemory(size: capacity + SharedMemory.pageSize, name: "millrace-segment")
    mapping = try memory.map()
    try mapping.populate(capacity..<capacity + SharedMemory.pageSize, of: memory)
  }

  /// The peer has the segment: here its mapping is enough, where the kernel makes pages present by their addresses.
  func letGo() {
    if millrace_memory_needs_descriptor() == 0 { memory.letGo() }
  }

  private var state: UnsafeMutablePointer<UInt32> {
    (mapping.base + capacity).assumingMemoryBound(to: UInt32.self)
  }

  /// Acquire: the receiver has finished reading what is overwritten next.
  var isFree: Bool { millrace_load_acquire_u32(state) == SegmentLayout.free }

  /// Whether it is in use; the frame that names the segment makes it seen.
  func mark(busy: Bool) {
    millrace_store_release_u32(state, busy ? SegmentLayout.busy : SegmentLayout.free)
  }

  /// Makes the first `length` bytes present.
  ///
  /// In one call, which is faster than a fault for each page, and fails where a touch would be a SIGBUS. Huge pages were tried and changed nothing that could be measured; recycling is what helps.
  func populate(_ length: Int) throws(MemoryError) {
    guard length > populated else { return }
    try mapping.populate(populated..<length, of: memory)
    populated = length
  }
}
