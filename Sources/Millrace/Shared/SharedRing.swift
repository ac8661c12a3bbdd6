import MillraceIPC

/// The bytes of a queue's elements, each behind its length, one behind the other around the end of the memory.
///
/// All of it is done under the lock. What decides is one store, done last: who dies before has changed nothing.
struct SharedRing {
  private let block: SharedBlock
  private let size: Int

  init(_ block: SharedBlock) {
    self.block = block
    size = block.token.size
  }

  /// For those who wait for an element, and for room.
  var pushes: SharedTurns { SharedTurns(block, word: 0) }
  var pops: SharedTurns { SharedTurns(block, word: 1) }
  var isClosed: UnsafeMutablePointer<UInt64> { block.header.word(2) }
  var capacity: UnsafeMutablePointer<UInt64> { block.header.word(3) }
  /// The bytes that were ever put in, and taken out.
  private var added: UnsafeMutablePointer<UInt64> { block.header.word(4) }
  private var taken: UnsafeMutablePointer<UInt64> { block.header.word(5) }
  /// The elements that are in it.
  var count: UnsafeMutablePointer<UInt64> { block.header.word(6) }

  /// Somebody has died with the lock: the elements are counted again.
  func repair() throws {
    var elements: UInt64 = 0
    var rest = try used
    while rest > 0 {
      rest -= Self.room(for: try length(at: added.pointee &- UInt64(rest)))
      elements += 1
    }
    count.pointee = elements
  }

  /// Puts an element in; false if there is no room.
  func add(_ bytes: UnsafeRawBufferPointer) throws -> Bool {
    let room = Self.room(for: bytes.count)
    guard count.pointee < capacity.pointee, room <= size - (try used) else { return false }
    let start = added.pointee
    block.content.storeBytes(of: UInt64(bytes.count), toByteOffset: Int(start % UInt64(size)), as: UInt64.self)
    copy(bytes, to: start + 8)
    // Whoever is woken waits for the lock.
    pushes.next()
    KillPoint.workerPushes.reach()
    count.pointee &+= 1
    added.pointee = start &+ UInt64(room)
    return true
  }

  /// Takes the first element out; nil if there is none.
  func take() throws -> [UInt8]? {
    guard try used > 0 else { return nil }
    guard count.pointee > 0 else { throw overwritten }
    let start = taken.pointee
    let length = try length(at: start)
    let bytes = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
      copy(from: start + 8, to: UnsafeMutableRawBufferPointer(buffer), length)
      count = length
    }
    pops.next()
    KillPoint.workerPops.reach()
    count.pointee -= 1
    taken.pointee = start &+ UInt64(Self.room(for: length))
    return bytes
  }

  private static func room(for length: Int) -> Int { 8 + (length + 7) & ~7 }

  private var used: Int {
    get throws {
      let used = added.pointee &- taken.pointee
      guard used <= UInt64(size), used % 8 == 0, taken.pointee % 8 == 0 else { throw overwritten }
      return Int(used)
    }
  }

  private func length(at place: UInt64) throws -> Int {
    let length = block.content.load(fromByteOffset: Int(place % UInt64(size)), as: UInt64.self)
    let rest = added.pointee &- place
    guard rest <= UInt64(size), length <= rest, Self.room(for: Int(length)) <= Int(rest) else {
      throw overwritten
    }
    return Int(length)
  }

  private var overwritten: TransportError {
    TransportError(.sharedObject, "something has written over a SharedQueue", typeName: "SharedQueue")
  }

  private func copy(_ bytes: UnsafeRawBufferPointer, to place: UInt64) {
    guard let source = bytes.baseAddress else { return }
    let start = Int(place % UInt64(size))
    let first = min(bytes.count, size - start)
    (block.content + start).copyMemory(from: source, byteCount: first)
    if first < bytes.count { block.content.copyMemory(from: source + first, byteCount: bytes.count - first) }
  }

  private func copy(from place: UInt64, to target: UnsafeMutableRawBufferPointer, _ length: Int) {
    guard let base = target.baseAddress, length > 0 else { return }
    let start = Int(place % UInt64(size))
    let first = min(length, size - start)
    base.copyMemory(from: block.content + start, byteCount: first)
    if first < length { (base + first).copyMemory(from: block.content, byteCount: length - first) }
  }
}
