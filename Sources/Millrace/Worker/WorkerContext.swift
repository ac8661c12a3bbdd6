public import Logging
import MillraceIPC
package import Synchronization

/// What a worker knows of where it runs and of the item that it is at.
///
/// Code of a worker's or a closure's asks for ``current``; one may be kept in the worker's state as well: ``index``, ``attempt`` and
/// ``random`` always speak of the current item.
public struct WorkerContext: Sendable {
  /// The context of the worker whose code is running; nil outside of workers.
  ///
  /// Tasks that an item makes see it too (`Task.detached` and threads do not), and it goes on to speak of the worker's current item
  /// when theirs is over.
  public static var current: WorkerContext? { running }

  /// Set around the code of a worker.
  @TaskLocal static var running: WorkerContext?

  /// The slot (worker ID), from 0 to the pool's width - 1. A worker that is replaced keeps it.
  public let slot: Int
  /// A logger that names the slot, and the item, if it is asked for in one.
  ///
  /// The logger of a worker process names the item that is at hand when something is logged, so one may keep it.
  public var logger: Logger {
    var logger = lazyLogger.value
    if position.isInItem, logger[metadataKey: "item"] == nil { logger[metadataKey: "item"] = "\(index)" }
    return logger
  }
  private let lazyLogger: LazyLogger
  let position: ItemPosition

  /// - Parameter logger: makes the logger, when it is first asked for.
  package init(slot: Int, position: ItemPosition, logger: @escaping @Sendable () -> Logger) {
    self.slot = slot
    self.position = position
    lazyLogger = LazyLogger(logger)
  }

  /// The index of the current item in the input; in `setUp` and `tearDown` that of the last item, or 0.
  public var index: Int { position.index }

  /// Which try at the current item this is, from 1.
  public var attempt: Int { position.attempt.load(ordering: .relaxed) }

  /// A random number generator for the current item, made from the map's seed and the item's index: the same on every
  /// backend, in every run, and at every retry of the item. Each access starts it anew, so keep it in a variable.
  public var random: ItemRandom {
    ItemRandom(seed: position.seed.load(ordering: .relaxed), index: position.index)
  }

  /// Whether the current item's outcome is no longer wanted (timed out, or its map is over), or its task is cancelled. Long loops may ask.
  ///
  /// The task of an item that is given up is cancelled as well, in worker processes as on threads and tasks.
  public var isCancelled: Bool { position.isInItem && position.isAbandoned || Task.isCancelled }
}

/// A logger that is made when it is asked for: few workers log, and in a new process it takes as long as what most set up.
private final class LazyLogger: Sendable {
  private let made = Lock<Logger?>(nil)
  private let make: @Sendable () -> Logger

  init(_ make: @escaping @Sendable () -> Logger) { self.make = make }

  var value: Logger {
    if let logger = made.withLock({ $0 }) { return logger }
    // Not under the lock: the log handler is a user's.
    let logger = make()
    return made.withLock { made in
      if made == nil { made = logger }
      return made!
    }
  }
}

/// A random number generator whose stream depends on a seed and an item's index only (SplitMix64).
public struct ItemRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Creates the generator of an item.
  public init(seed: UInt64, index: Int) {
    var mixed = seed
    state = splitMix64(&mixed) ^ (UInt64(bitPattern: Int64(index)) &* 0xD6E8_FEB8_6659_FD93)
    _ = splitMix64(&state)
  }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 { splitMix64(&state) }
}

/// Where a worker is: shared by the worker, its context and those who watch it.
package final class ItemPosition: @unchecked Sendable {
  // Sound: the words are atomics; the pointers are set once and freed with the object, or belong to a lane that the
  // worker process maps until it ends.
  package let progress: UnsafePointer<Atomic<UInt64>>
  package let startTime: UnsafePointer<Atomic<UInt64>>
  /// Where a worker of several parts notes at which of them its item is, should it die there; nil: it dies with the program.
  package let part: UnsafePointer<Atomic<UInt64>>?
  /// How far the item at hand is behind the first that is not done, where several are under way together; with `listed`, where in `list` that
  /// stands, for some of them were left out.
  package let ahead: UnsafePointer<Atomic<UInt64>>
  /// Nothing where nothing goes several at a time.
  private let list: UnsafePointer<Atomic<UInt64>>?
  static let listed: UInt64 = 1 << 61
  /// The words that are its own, in a row.
  private let owned: UnsafeMutableBufferPointer<Atomic<UInt64>>
  package let first = Atomic<Int>(0)
  package let attempt = Atomic<Int>(1)
  /// Whether what runs is an item, and no set-up or tear-down.
  private let item = Atomic(false)
  package let seed = Atomic<UInt64>(0)
  /// The type whose set-up or tear-down was the protocol's own, the last time that it was, and which of them; 0: none since it was asked.
  private let plain = Atomic<UInt>(0)

  package init() {
    owned = Self.makeWords(3 + ItemGroup.most)
    let words = UnsafePointer(owned.baseAddress!)
    (progress, startTime, ahead, list) = (words, words + 1, words + 2, words + 3)
    part = nil
  }

  package init(
    progress: UnsafePointer<Atomic<UInt64>>, startTime: UnsafePointer<Atomic<UInt64>>,
    part: UnsafePointer<Atomic<UInt64>>? = nil
  ) {
    self.part = part
    self.progress = progress
    self.startTime = startTime
    owned = Self.makeWords(1)
    ahead = UnsafePointer(owned.baseAddress!)
    list = nil
  }

  private static func makeWords(_ count: Int) -> UnsafeMutableBufferPointer<Atomic<UInt64>> {
    let words = UnsafeMutableBufferPointer<Atomic<UInt64>>.allocate(capacity: count)
    for place in 0..<count { words.initializeElement(at: place, to: Atomic(0)) }
    return words
  }

  deinit {
    owned.deinitialize()
    owned.deallocate()
  }

  var index: Int {
    let word = ahead.pointee.load(ordering: .relaxed)
    var place = Int(word & LaneLayout.completed)
    // Who asks while another item begins may be told of either; none is beside the list.
    if word & Self.listed != 0, let list { place = Int(list[min(place, ItemGroup.most - 1)].load(ordering: .relaxed)) }
    return first.load(ordering: .relaxed) + completed + place
  }

  /// Which items are left, of those that are under way together.
  func list(_ places: UnsafePointer<Int32>, count: Int) {
    guard let list else { return }
    for place in 0..<count { list[place].store(UInt64(truncatingIfNeeded: places[place]), ordering: .relaxed) }
  }

  /// The item at hand, for who goes around it.
  var current: (index: Int, attempt: Int) { (index, attempt.load(ordering: .relaxed)) }

  /// How many items of the chunk are done.
  var completed: Int { Int(progress.pointee.load(ordering: .relaxed) & LaneLayout.completed) }

  var isAbandoned: Bool { progress.pointee.load(ordering: .relaxed) & abandonedBit != 0 }

  var isInItem: Bool { item.load(ordering: .relaxed) }

  /// A set-up or tear-down of the type is the protocol's own.
  func note(_ kind: PlainWorkers.Kinds, _ type: Any.Type) { plain.store(kind.word(of: type), ordering: .relaxed) }

  /// Whether that of the type was the last one.
  func takeNote(_ kind: PlainWorkers.Kinds, _ type: Any.Type) -> Bool {
    plain.exchange(0, ordering: .relaxed) == kind.word(of: type)
  }

  /// Behind the last item: a tear-down.
  func leaveItems() { item.store(false, ordering: .relaxed) }

  package func enter(first: Int, attempt: Int, seed: UInt64, isItem: Bool = true) {
    item.store(isItem, ordering: .relaxed)
    self.first.store(first, ordering: .relaxed)
    self.attempt.store(attempt, ordering: .relaxed)
    self.seed.store(seed, ordering: .relaxed)
  }
}
