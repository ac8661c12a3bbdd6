import Logging
import Millrace
import MillraceIPC

/// A map that outlives its driver: which of its items the consumer has had is noted in the queue.
///
/// What is noted is kept here as well: a queue that has forgotten everything gets it again.
final class ClusterRun: Sendable {
  /// Bits of a string in Redis.
  static let mostItems = 1 << 32

  private let driver: ClusterDriver
  private let name: String
  private let head: Fields
  private let bits = Lock<[UInt8]>([])
  /// How often the queue had forgotten something when it was told all of this.
  private let told = Lock(0)
  private let isMine = Lock(false)

  init(_ driver: ClusterDriver, _ name: String, _ head: Fields) {
    (self.driver, self.name, self.head) = (driver, name, head)
  }

  deinit { leave() }

  /// Another may have its name.
  private func leave() {
    let wasMine = isMine.withLock { isMine in
      defer { isMine = false }
      return isMine
    }
    if wasMine { driver.isLeft(name) }
  }

  /// Takes the job over, from whoever had it, and the run with it.
  ///
  /// - Returns: which items were delivered.
  func begin() async throws -> [UInt8] {
    guard driver.isBegun(name) else {
      throw WorkerPoolError(
        .cannotStart,
        "run \(name) is under way in this pool: two loops over it would have half of its outcomes each. Let the first one end, or give the second another name"
      )
    }
    isMine.withLock { $0 = true }
    // From then on nobody else notes anything.
    try await driver.open()
    told.withLock { $0 = driver.reopenings }
    let found = try await resume()
    bits.withLock { $0 = found }
    let count = found.reduce(0) { $0 + $1.nonzeroBitCount }
    if count > 0, "\(count)" == head["items"] {
      driver.logger.notice("run \(name) is complete: all \(count) items were delivered, and none is again")
    }
    return found
  }

  private func resume() async throws -> [UInt8] {
    let known = bits.withLock { $0 }
    let (text, delivered) = try await driver.engine.resume(name, Array(head.text.utf8), delivered: known)
    let found = Fields(String(decoding: text, as: UTF8.self))
    for field in ["worker", "configuration", "items"] where found[field] != head[field] {
      throw EngineError.otherRun(
        "run \(name) was begun with \(Self.words[field] ?? field): \(found[field] ?? "none"), and not \(head[field] ?? "none")"
      )
    }
    return delivered
  }

  /// The consumer has the item: no driver delivers it again.
  func delivered(_ index: Int) async throws {
    guard index < Self.mostItems else {
      throw EngineError.refused("item \(index) of a run that goes on: it may have \(Self.mostItems) items")
    }
    bits.withLock { Self.set(index, in: &$0) }
    let end = MonotonicTime.now &+ driver.options.patience.nanoseconds
    while true {
      do {
        try await tellAgain()
        return try await driver.engine.delivered([index], of: name)
      } catch EngineError.lost {
        guard MonotonicTime.now < end else { throw EngineError.lost }
      }
      driver.askToOpen()
      try await Task.sleep(for: .milliseconds(50))
      // It has the item among the others.
      do { _ = try await resume() } catch EngineError.lost {}
    }
  }

  /// What the queue has forgotten of it, though not the run.
  private func tellAgain() async throws {
    let reopenings = driver.reopenings
    guard told.withLock({ $0 }) != reopenings else { return }
    _ = try await resume()
    told.withLock { $0 = reopenings }
  }

  private static let words = [
    "worker": "another worker", "configuration": "a worker of another configuration (its digest is here)",
    "items": "another number of items",
  ]

  func complete() {
    driver.isComplete(name)
    leave()
  }

  static func set(_ index: Int, in bits: inout [UInt8]) {
    if bits.count <= index >> 3 { bits += [UInt8](repeating: 0, count: (index >> 3) + 1 - bits.count) }
    bits[index >> 3] |= 0x80 >> UInt8(index & 7)
  }
}

extension ClusterRun {
  /// What a run is of: two maps that differ in this cannot be one.
  static func head<W: Worker>(_ worker: W, items: Int) throws -> Fields {
    let announcement = try withExtendedLifetime(NothingShared()) {
      try SharedPassage($0).within { try TypedRemoteWorker(worker).announcement() }
    }
    // The same whatever the order of bytes: that of a dictionary's elements is another in each process.
    var sum: UInt64 = 0
    for byte in announcement {
      var word = (UInt64(byte) &+ 1) &* 0x9e37_79b9_7f4a_7c15
      word = (word ^ word >> 29) &* 0xbf58_476d_1ce4_e5b9
      sum &+= word ^ word >> 32
    }
    return Fields([
      ("worker", String(reflecting: W.self)), ("configuration", String(sum, radix: 36)), ("items", "\(items)"),
    ])
  }
}

/// What is shared has another name in each program, so that two of them could not be seen to have the same worker.
private final class NothingShared: SharedCarrier {
  func carry(_ block: SharedBlock) throws {
    throw SharedMissing(
      description:
        "it is shared, and another in each program, so that nobody could tell whether the next one's is the same; send a copy of what is in it"
    )
  }

  func find(_ token: SharedToken) throws -> SharedBlock {
    throw SharedMissing(description: "a shared object of a run that goes on")
  }
}
