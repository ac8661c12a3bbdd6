import MillraceIPC

/// A value that all workers read, encoded once however many there are, and decoded at most once in each.
///
/// ```swift
/// let dictionary = Shared(try loadDictionary())
/// let found = try await pool.map(words, with: LookUp(in: dictionary))
/// ```
///
/// On threads, tasks and serial pools it is the value itself, and in a closure on worker processes the one that the fork has
/// copied, page by page as it is written. To other worker processes its bytes go by a descriptor, with a worker's configuration or with
/// items: each process maps them, and makes a value of them when they first arrive.
public struct Shared<Value: Codable & Sendable>: Sendable {
  /// As it was made here.
  private final class Origin: Sendable {
    let value: Value
    let encoded = Lock<SharedBlock?>(nil)

    init(_ value: Value) { self.value = value }
  }

  /// As it came.
  private struct Arrived: Sendable {
    let block: SharedBlock
    let value: Value
  }

  private enum Storage: Sendable {
    case origin(Origin)
    case arrived(Arrived)
  }

  private let storage: Storage

  /// A value that is shared from here on. Nothing is encoded before it is sent.
  public init(_ value: Value) { storage = .origin(Origin(value)) }

  /// The value.
  public var value: Value {
    switch storage {
    case .origin(let origin): origin.value
    case .arrived(let arrived): arrived.value
    }
  }

  private static var name: String { readableTypeName(Self.self) }
  private static var signature: UInt64 { SharedObject.Kind.encoded.signature() }

  /// The memory that it is encoded in.
  private func block() throws -> SharedBlock {
    switch storage {
    case .arrived(let arrived): return arrived.block
    case .origin(let origin):
      if let block = origin.encoded.withLock({ $0 }) { return block }
      // Not under the lock: it is the user's code. Of two that come at once, the first one's counts.
      let block = try Self.encode(origin.value)
      return origin.encoded.withLock { known in
        if let known { return known }
        known = block
        return block
      }
    }
  }

  private static func encode(_ value: Value) throws -> SharedBlock {
    let coding = try Payload.coding(for: Value.self, standIn: RemoteError.self)
    let companions = Companions()
    var writer = ByteWriter()
    try companions.passage.within { try coding.encode(value, into: &writer) }
    let block = try SharedObject.make(.encoded, .constant, bytes: writer.count, name: name)
    block.content.copyMemory(from: writer.bytes.baseAddress!, byteCount: writer.count)
    block.companions = companions.all
    return block
  }
}

extension Shared: InCommonMemory {}

extension Shared: Codable {
  /// What came from another process: only Millrace's own coder for workers can bring it.
  public init(from decoder: any Decoder) throws {
    let block = try SharedObject.decode(from: decoder, Self.signature, name: Self.name)
    let value = try block.decoded(as: Value.self) { bytes in
      let companions = Companions(SharedPassage.current)
      let coding = try Payload.coding(for: Value.self, standIn: RemoteError.self)
      let value = try companions.passage.within { try coding.decode(from: bytes) }
      block.companions = companions.all
      return value
    }
    storage = .arrived(Arrived(block: block, value: value))
  }

  /// Names it to another process, for Millrace's own coder for workers; throws a ``TransportError`` for any other.
  public func encode(to encoder: any Encoder) throws {
    guard isForWorkers(encoder), SharedPassage.current != nil else {
      return try SharedObject.refuse(encoder, name: Self.name)
    }
    try SharedObject.encode(try block(), to: encoder, name: Self.name)
  }
}

/// The shared objects within a shared value: they go wherever it goes.
private final class Companions: SharedCarrier {
  private(set) var all: [SharedBlock] = []
  private let outer: SharedPassage?
  lazy var passage = SharedPassage(self)

  init(_ outer: SharedPassage? = nil) { self.outer = outer }

  func carry(_ block: SharedBlock) throws { all.append(block) }

  func find(_ token: SharedToken) throws -> SharedBlock {
    guard let block = try outer?.find(token) else { throw SharedMissing(description: "nothing comes here") }
    all.append(block)
    return block
  }
}
