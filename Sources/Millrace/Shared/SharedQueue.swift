import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A queue between the program and its workers, or between workers: whoever has it may put elements in and take them out.
///
/// ```swift
/// let warnings = try SharedQueue<String>(capacity: 100)
/// ```
///
/// It is bounded: who puts one into a full queue waits, and so does who takes one out of an empty queue. To wait blocks the thread; in
/// the program, take from it on a thread of its own, and not in a task. Each element is taken out once, in the order in which they
/// were put in. A process that dies while it puts one in, or takes one out, has done it or has not; the queue goes on.
///
/// What is in a queue is a copy. A shared object does not travel through it: there is no descriptor in its memory.
public struct SharedQueue<Element: Codable & Sendable>: Sendable {
  let block: SharedBlock
  private let coding: PayloadCoding<Element>

  /// A queue for so many elements, which are together in so many bytes.
  ///
  /// - Parameters:
  ///   - capacity: How many elements it holds at the most; 1 at least.
  ///   - bytes: How many bytes there are for all of them, encoded, with 8 for each to say how long it is. By default, 256 an element,
  ///     and 64 KiB at least. An element that is larger than all of it is refused with a ``TransportError`` when it is put in; where the
  ///     bytes are used up, whoever puts one in waits, though there are fewer elements than `capacity`.
  /// - Throws: ``InvalidOption`` for numbers below 1; ``SystemError`` if there is no memory or no descriptor for it; ``TransportError`` if
  ///   elements cannot travel.
  public init(capacity: Int, bytes: Int? = nil) throws {
    guard capacity > 0 else { throw InvalidOption(name: "capacity", value: capacity, allowed: "1 or more") }
    if let bytes, bytes < 1 { throw InvalidOption(name: "bytes", value: bytes, allowed: "1 or more") }
    coding = try Self.makeCoding()
    let wanted = try bytes ?? max(65_536, SharedObject.bytes(capacity, of: 256, name: Self.name))
    guard wanted < 1 << 46 else {
      throw SystemError("\(wanted) bytes of shared memory for \(Self.name)", ENOMEM)
    }
    let size = (max(wanted, 64) + 7) & ~7
    block = try SharedObject.make(.queue, bytes: size, hasLock: true, name: Self.name)
    room.capacity.pointee = UInt64(capacity)
  }

  private static var name: String { readableTypeName(Self.self) }

  private static func makeCoding() throws -> PayloadCoding<Element> {
    do {
      return try Payload.coding(for: Element.self, standIn: RemoteError.self)
    } catch {
      throw error.forUsers
    }
  }

  private var room: SharedRing { SharedRing(block) }

  /// How many elements are in it now.
  public var count: Int { locked { Int(clamping: room.count.pointee) } }

  /// Whether ``close()`` was called.
  public var isClosed: Bool { locked { room.isClosed.pointee != 0 } }

  private func locked<R>(_ body: () throws -> R) rethrows -> R {
    let lock = SharedGuard(block, name: "SharedQueue")
    defer { lock.end() }
    if block.header.isPoisoned {
      // What cannot be counted will not be found right by whoever takes it out.
      try? room.repair()
      block.header.isPoisoned = false
    }
    return try body()
  }

  // MARK: Putting in

  /// Puts an element in; waits for room. False if the queue is closed: then it was not put in.
  ///
  /// - Throws: what its encoding throws; ``TransportError`` if the queue has not so many bytes at all.
  @discardableResult
  public func push(_ element: Element) throws -> Bool {
    try push(element, until: MonotonicTime.never) == .done
  }

  /// The same, but waits no longer than so long; false if there was no room in that time, or the queue is closed.
  public func push(_ element: Element, within duration: Duration) throws -> Bool {
    try push(element, until: Self.deadline(duration)) == .done
  }

  /// As `push`; false also if it would wait and must not, as the closure says, which is asked again when writers are woken.
  func push(_ element: Element, unless isOver: () -> Bool) throws -> Bool {
    try push(element, until: MonotonicTime.never, unless: isOver) == .done
  }

  /// Whoever waits for room, in whichever process, looks again.
  func wakeWriters() { locked { room.pops.next() } }

  private enum End { case done, late, closed }

  private func push(_ element: Element, until deadline: UInt64, unless isOver: () -> Bool = { false }) throws -> End {
    var writer = ByteWriter()
    try StrayObjects.passage.within { try coding.encode(element, into: &writer) }
    guard writer.count <= block.token.size - 8 else {
      throw TransportError(
        .sharedObject, "an element of \(writer.count) bytes is too large for a \(Self.name) of \(block.token.size)",
        typeName: Self.name)
    }
    while true {
      let turn = room.pops.current
      let end: End? = try locked {
        if room.isClosed.pointee != 0 { return .closed }
        return try room.add(writer.bytes) ? .done : nil
      }
      if let end { return end }
      if isOver() { return .late }
      guard room.pops.wait(for: turn, until: deadline) else { return .late }
    }
  }

  // MARK: Taking out

  /// Takes the first element out; waits for one. Nil if the queue is closed and nothing is left in it.
  ///
  /// - Throws: what its decoding throws: it is out of the queue for all that.
  public func pop() throws -> Element? { try pop(until: MonotonicTime.never) }

  /// The same, but waits no longer than so long; nil also if none came in that time.
  public func pop(within duration: Duration) throws -> Element? { try pop(until: Self.deadline(duration)) }

  private func pop(until deadline: UInt64) throws -> Element? {
    while true {
      let turn = room.pushes.current
      let (bytes, isOver) = try locked { (try room.take(), room.isClosed.pointee != 0) }
      if let bytes {
        return try StrayObjects.passage.within { try bytes.withUnsafeBytes { try coding.decode(from: $0) } }
      }
      if isOver { return nil }
      guard room.pushes.wait(for: turn, until: deadline) else { return nil }
    }
  }

  /// Nothing more is put in. Who waits to put in is told; what is in it can still be taken out.
  public func close() {
    locked {
      room.pushes.next()
      room.pops.next()
      room.isClosed.pointee = 1
    }
  }

  private static func deadline(_ duration: Duration) -> UInt64 {
    MonotonicTime.now &+ min(duration.nanoseconds, .max / 4)
  }
}

extension SharedQueue: InCommonMemory {}

extension SharedQueue: Codable {
  /// What came from another process: only Millrace's own coder for workers can bring it.
  public init(from decoder: any Decoder) throws {
    coding = try Self.makeCoding()
    block = try SharedObject.decode(from: decoder, SharedObject.Kind.queue.signature(), atLeast: 8, name: Self.name)
    guard block.token.size % 8 == 0 else {
      throw TransportError(.malformedValue, "What came is no \(Self.name)", typeName: Self.name)
    }
  }

  /// Names it to another process, for Millrace's own coder for workers; throws a ``TransportError`` for any other.
  public func encode(to encoder: any Encoder) throws {
    try SharedObject.encode(block, to: encoder, name: Self.name)
  }
}

/// Shared objects in the elements of queues.
private final class StrayObjects: SharedCarrier, Sendable {
  private static let only = StrayObjects()
  static let passage = SharedPassage(only)

  func carry(_ block: SharedBlock) throws {
    throw SharedMissing(
      description: "a SharedQueue has no way to pass it on; send it in a configuration, an item or an output")
  }

  func find(_ token: SharedToken) throws -> SharedBlock { throw SharedMissing(description: "nothing comes by a queue") }
}
