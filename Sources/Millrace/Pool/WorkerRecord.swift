import MillraceIPC
import Synchronization

/// A worker that the pool knows: how to make instances of it, what they handed back.
package final class WorkerRecord: Sendable {
  package let key: WorkerKey
  private let type: any Sendable.Type
  /// The names of the stages that it is; empty: it is a worker of a user's.
  package let stages: [String]

  /// Whether it is a pipeline's. In a pool with one slot its state is one, also where its items move to a slot of a higher level.
  var isStation: Bool { !stages.isEmpty }

  /// Who it is, or which of its stages has thrown, for the log. Nothing that every map should pay for.
  func name(throwing error: (any Error)? = nil) -> (key: String, name: String) {
    if stages.isEmpty { return ("worker", String(reflecting: type)) }
    if let fault = error as? StageFault, stages.indices.contains(fault.part) { return ("stage", stages[fault.part]) }
    return ("stage", stages.joined(separator: " → "))
  }
  /// Equal for workers that may stand for each other.
  let identity: WorkerIdentity?
  let makeInstance: @Sendable () -> AnyWorkerInstance
  /// Whether there is no code of a user's in its set-up, as far as is known.
  var opensNothing: Bool { plain.contains(.opensNothing) }
  /// Whether there is none in its tear-down.
  var closesNothing: Bool { plain.contains(.closesNothing) }

  private let kinds: Atomic<UInt8>
  private var plain: PlainWorkers.Kinds { PlainWorkers.Kinds(rawValue: kinds.load(ordering: .relaxed)) }

  /// A set-up or tear-down has come to its end: whether it was the protocol's own is known from now on.
  func learn(_ kind: PlainWorkers.Kinds, from position: ItemPosition) {
    guard !plain.contains(kind), position.takeNote(kind, type) else { return }
    kinds.bitwiseOr(kind.rawValue, ordering: .relaxed)
    PlainWorkers.add(kind, of: type)
  }
  /// What a backend of other processes needs to know of it.
  ///
  /// Made when such a backend asks for the first time. Others never do, and no type is asked how its values would travel.
  package var remote: any RemoteWorker { (lazyRemote.load() ?? lazyRemote.storeIfNil(RemoteBox(makeRemote()))).worker }
  /// Looks whether it can be sent; once, if it can: a pool sends all to the same kind of place.
  package func beSendable(_ look: (any RemoteWorker) throws -> Void) throws {
    if isSendable.load(ordering: .relaxed) { return }
    try look(remote)
    isSendable.store(true, ordering: .relaxed)
  }

  /// Whether its workers are to say how much memory they have.
  package var measuresMemory: Bool {
    get { memory.load(ordering: .relaxed) }
    set { memory.store(newValue, ordering: .relaxed) }
  }

  /// Whether anybody wants to know now and then how much memory workers have.
  let memoryWatch: MemoryWatch?

  private let makeRemote: @Sendable () -> any RemoteWorker
  private let lazyRemote = AtomicLazyReference<RemoteBox>()
  private let isSendable = Atomic(false)
  private let memory = Atomic(false)
  private let state = Lock(State())

  private struct State {
    var exits: [(slot: Int, result: Result<any Sendable, any Error>)] = []
    /// How many instances in each slot have handed back nothing, which is all that there is to know of them: a pool may replace its workers
    /// for as long as it lives.
    var empty: [Int: Int] = [:]
    /// Why instances have left nothing that died in their tear-downs.
    var losses: [(failure: WorkerFailure, isBystander: Bool)] = []
    var isClosed = false
    /// How often it was closed.
    var closings = 0
    var waiters: [UnsafeContinuation<Void, Never>] = []
  }

  init<W: Worker>(
    _ worker: W, key: WorkerKey, identity: WorkerIdentity?, stages: [String] = [], memoryWatch: MemoryWatch? = nil
  ) {
    self.key = key
    self.memoryWatch = memoryWatch
    self.stages = stages
    self.identity = identity
    type = W.self
    makeInstance = { WorkerInstance(worker) }
    // A closure's are ours.
    let kinds: PlainWorkers.Kinds =
      worker is any ClosureWorkerType ? [.opensNothing, .closesNothing] : PlainWorkers.kinds(of: W.self)
    self.kinds = Atomic(kinds.rawValue)
    makeRemote = { TypedRemoteWorker(worker) }
  }

  /// A worker that nothing else stands for.
  package convenience init<W: Worker>(_ worker: W, key: WorkerKey) { self.init(worker, key: key, identity: nil) }

  deinit {
    // What a user's worker or closure holds.
    Unlocked.release((makeInstance, makeRemote, lazyRemote.load()))
  }

  func exited(slot: Int, _ result: Result<any Sendable, any Error>) {
    state.withLock { state in
      if case .success(let value) = result, value is Void {
        state.empty[slot, default: 0] += 1
      } else {
        state.exits.append((slot, result))
      }
    }
  }

  /// An instance has died in its tear-down, and has left nothing. May be said under a lock.
  func lost(_ failure: WorkerFailure, isBystander: Bool) {
    state.withLock { $0.losses.append((failure, isBystander)) }
  }

  func isSame(as other: WorkerIdentity) -> Bool { identity?.isSame(as: other) == true }

  /// No slot has it any more. Returns who waits for that, to be resumed without a lock.
  func closed() -> [UnsafeContinuation<Void, Never>] {
    state.withLock { state in
      state.isClosed = true
      state.closings += 1
      defer { state.waiters = [] }
      return state.waiters
    }
  }

  /// A job has taken it up again.
  func isBack() { state.withLock { $0.isClosed = false } }

  var closings: Int { state.withLock { $0.closings } }

  /// Whether no slot has it, or none had it once since so many closings, for a job may have taken it up again.
  func isClosed(since closings: Int) -> Bool { state.withLock { $0.isClosed || $0.closings > closings } }

  func waitUntilClosed(since closings: Int) async {
    await withUnsafeContinuation { continuation in
      let isClosed = state.withLock { state in
        let isClosed = state.isClosed || state.closings > closings
        if !isClosed { state.waiters.append(continuation) }
        return isClosed
      }
      if isClosed { continuation.resume() }
    }
  }

  func takeExits() -> [(slot: Int, result: Result<any Sendable, any Error>)] {
    state.withLock { state in
      defer { (state.exits, state.empty) = ([], [:]) }
      return state.exits + state.empty.flatMap { slot, count in repeatElement((slot, .success(())), count: count) }
    }
  }

  /// The first loss, if there is one: rather one that says why than that of a worker which was ended together with another.
  ///
  /// - Parameter hasMore: whether a tear-down leaves more than its exit value, so that those who were ended with another have lost something, too.
  func takeLoss(hasMore: Bool) -> WorkerFailure? {
    let losses = state.withLock { state in
      defer { state.losses = [] }
      return state.losses
    }
    return losses.first { !$0.isBystander }?.failure ?? (hasMore ? losses.first?.failure : nil)
  }
}

private final class RemoteBox: Sendable {
  let worker: any RemoteWorker

  init(_ worker: any RemoteWorker) { self.worker = worker }
}
