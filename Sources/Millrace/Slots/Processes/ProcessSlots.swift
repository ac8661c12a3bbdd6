import CMillrace
import MillraceIPC
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The slots of worker processes. One control thread of the pool's speaks with all of them.
///
/// See "How processes work" in the documentation.
package final class ProcessSlots: Slots {
  private struct State {
    var mailbox: [Action] = []
    var isAsleep = false
    var isStarted = false
    var whenClosed: (@Sendable () -> Void)?
    var isClosing = false
    /// What the control thread waits with for the bell and all else.
    var poller: SharedDescriptor?
    /// How many are about to ring the bell, which must be open until they have.
    var ringers = 0
    /// The control thread has ended.
    var isClosed = false
    /// The control thread sleeps on no descriptor any more.
    var isLost = false
  }

  let options: WorkerPool.ProcessOptions
  let limits: DispatchLimits
  /// What the workers begin with: what the program has now.
  let surroundings = Surroundings()
  /// What the control thread sleeps on, and workers ring.
  let bell: SharedDescriptor
  /// Its end wakes the control thread, should the bell be no more.
  let lifeline: Lifeline
  /// What the control thread sleeps on instead then.
  let substitute = Bell()
  private let state = Lock(State())
  private let hasMail = Atomic(false)
  private weak let host: (any SlotHost)?

  init(_ options: WorkerPool.ProcessOptions, limits: DispatchLimits, host: any SlotHost) throws {
    self.options = options
    self.limits = limits
    self.host = host
    let bell = millrace_bell_create()
    guard bell >= 0 else {
      throw WorkerPoolError(.cannotStart, "no descriptor for the pool", underlying: SystemError("eventfd", errno))
    }
    self.bell = SharedDescriptor(owning: bell)
    do throws(SystemCallError) {
      lifeline = try Lifeline()
    } catch {
      throw WorkerPoolError(.cannotStart, "no descriptor for the pool", underlying: error)
    }
  }

  package func accept(_ action: Action) {
    state.withLock { $0.mailbox.append(action) }
    hasMail.store(true, ordering: .releasing)
  }

  package func flush() {
    guard hasMail.exchange(false, ordering: .acquiringAndReleasing) else { return }
    let (mustStart, mustRing) = state.withLock { state in
      guard state.isStarted else {
        state.isStarted = true
        return (true, false)
      }
      if state.isAsleep { state.ringers += 1 }
      return (false, state.isAsleep)
    }
    if mustRing { ring() }
    if mustStart { start() }
  }

  /// The control thread hears the bell with this.
  func isHeard(with poller: SharedDescriptor) { state.withLock { $0.poller = poller } }

  /// Rings for one of the ringers.
  private func ring() {
    if isLost {
      substitute.ring()
    } else if !bell.ring() || state.withLock({ $0.poller })?.isIntact == false {
      // Somebody has closed it, or what it is heard with. The control thread sees to it, wherever it is.
      lifeline.cut()
      substitute.ring()
    }
    closeIfUnused { $0.ringers -= 1 }
  }

  private func start() {
    guard let host else { return }
    do {
      let control = try ProcessControl(self, host)
      try startThread("millrace-pool") { control.run() }
    } catch {
      // Nothing can run: say so for each slot that was to start, and be ready to try again.
      let mailbox = state.withLock { state in
        state.isStarted = false
        defer { state.mailbox = [] }
        return state.mailbox
      }
      for case .start(let slot, let generation) in mailbox {
        host.step { $0.startFailed(slot: slot, generation: generation, error, now: $1) }
      }
    }
  }

  package func close(then: @escaping @Sendable () -> Void) {
    let isRunning = state.withLock { state in
      state.isClosing = true
      state.whenClosed = then
      if state.isStarted { state.ringers += 1 }
      return state.isStarted
    }
    if isRunning { ring() } else { closed() }
  }

  package func validate(_ worker: WorkerRecord, _ options: MapOptions) throws {
    try worker.beSendable { try $0.validate(forking: $0.needsFork || self.options.start == .fork) }
    if options.lifespan.memory != nil { worker.measuresMemory = true }
  }

  // MARK: For the control thread

  func takeMail() -> [Action] {
    state.withLock { state in
      defer { state.mailbox.removeAll(keepingCapacity: true) }
      return state.mailbox
    }
  }

  /// Notes that the control thread is about to sleep; false if there is mail.
  func fallAsleep() -> Bool {
    state.withLock { state in
      state.isAsleep = state.mailbox.isEmpty
      return state.isAsleep
    }
  }

  func wakeUp() { state.withLock { $0.isAsleep = false } }

  /// Its descriptors were closed by others.
  var isLost: Bool {
    get { state.withLock { $0.isLost } }
    set { state.withLock { $0.isLost = newValue } }
  }

  var isClosing: Bool { state.withLock { $0.isClosing && $0.mailbox.isEmpty } }

  /// Nobody listens any more: as soon as nobody rings either, nothing is left.
  func closed() { closeIfUnused { $0.isClosed = true } }

  private func closeIfUnused(after change: (inout State) -> Void) {
    let then = state.withLock { state -> (@Sendable () -> Void)? in
      change(&state)
      guard state.isClosed, state.ringers == 0 else { return nil }
      defer { state.whenClosed = nil }
      return state.whenClosed
    }
    guard let then else { return }
    bell.close()
    lifeline.close()
    then()
  }
}
