#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Places on an item's way at which a debug build fails on request, so that tests can see what comes of it.
///
/// The variable `MILLRACE_KILL_POINT` names them, as `point:hit:action` or `point:hit:action:file`, several separated by
/// commas: `worker.runs:3:kill` kills the process that comes to that point the third time. A process counts for itself;
/// with a file all processes count together, a byte a hit, so that the worker that replaces a killed one does not die of
/// the same order.
///
/// Release builds have nothing of this but the names of the cases.
package enum KillPoint: String, CaseIterable, Sendable {
  /// A spawned worker, before it knows what it is to run; a forked one knows.
  case workerStarts = "worker.starts"
  /// It knows, and the program is of its own build.
  case workerIsIntroduced = "worker.introduced"
  /// Before it listens to the pool.
  case workerServes = "worker.serves"
  /// It has a lane, whose thread has not begun.
  case workerIsSeated = "worker.seated"
  case workerDecodesWorker = "worker.decodes-worker"
  case workerSetsUp = "worker.sets-up"
  /// It is set up, and has not said so.
  case workerIsSetUp = "worker.set-up"
  /// It has said so.
  case workerIsReady = "worker.ready"
  /// It has taken a chunk, which the parent cannot take back any more; its marker does not show it yet.
  case workerTakesChunk = "worker.takes-chunk"
  case workerBeginsChunk = "worker.begins-chunk"
  case workerDecodesItem = "worker.decodes-item"
  /// Before an item runs; for items that lie in the ring as they are, before a run of them.
  case workerRuns = "worker.runs"
  case workerRan = "worker.ran"
  case workerMakesRoom = "worker.makes-room"
  case workerEncodesOutput = "worker.encodes-output"
  case workerWritesOutput = "worker.writes-output"
  /// An output lies in the ring; the frame's head does not count it yet.
  case workerWroteOutput = "worker.wrote-output"
  /// A segment is filled, and its descriptor has not been sent.
  case workerAnnouncesSegment = "worker.announces-segment"
  /// An item names an object that it shares, which is about to be looked for.
  case workerMapsShared = "worker.maps-shared"
  /// It has taken the lock of a shared object.
  case workerLocks = "worker.locks"
  /// An element is about to be in a shared queue, or out of it.
  case workerPushes = "worker.pushes"
  case workerPops = "worker.pops"
  /// An output has a shared object in it, whose descriptor has not been sent; and has been, and the output has not.
  case workerSendsShared = "worker.sends-shared"
  case workerSentShared = "worker.sent-shared"
  /// The last output is made, the end of the chunk has not been said.
  case workerFinishesChunk = "worker.finishes-chunk"
  /// It has been said; the marker still shows the chunk.
  case workerFinishedChunk = "worker.finished-chunk"
  case workerTearsDown = "worker.tears-down"
  case workerEncodesExit = "worker.encodes-exit"
  case workerToreDown = "worker.tore-down"
  case workerStops = "worker.stops"

  case parentLaunches = "parent.launches"
  /// A worker is started, and has not been told what it is.
  case parentLaunched = "parent.launched"
  case parentSeats = "parent.seats"
  case parentPrepares = "parent.prepares"
  case parentSendsChunk = "parent.sends-chunk"
  case parentSentChunk = "parent.sent-chunk"
  case parentSendsShared = "parent.sends-shared"
  /// An answer was read from a ring, and nobody knows of it.
  case parentHasAnswer = "parent.has-answer"
  case parentSeesDeath = "parent.sees-death"
  case parentEndsWorker = "parent.ends-worker"
  case parentReads = "parent.reads"
  /// An outcome leaves the window.
  case parentDelivers = "parent.delivers"
  case parentStops = "parent.stops"

  package enum Action: String, CaseIterable, Sendable {
    case trap, kill, stop
    case exit = "exit0"
    /// Throws ``Thrown`` where the point can throw; elsewhere it is refused.
    case `throw`
    /// Waits for 300 ms.
    case sleep
    /// Half of what the point writes is written, then the process is killed; elsewhere it is refused.
    case shortWrite = "short-write"
  }

  package struct Thrown: Error {
    package let point: KillPoint
  }

  /// The process comes to a point that cannot throw.
  @inline(__always)
  package func reach() {
    #if DEBUG
    guard let order = Order.all[self], order.isDue() else { return }
    order.action.perform(self)
    #endif
  }

  /// The process comes to a point that can throw.
  @inline(__always)
  package func reachThrowing() throws {
    #if DEBUG
    guard let order = Order.all[self], order.isDue() else { return }
    if order.action == .throw { throw Thrown(point: self) }
    order.action.perform(self)
    #endif
  }

  /// The process comes to a point at which it writes.
  ///
  /// - Parameter writeHalf: called if only half is to be written.
  @inline(__always)
  package func reachWriting(_ writeHalf: () -> Void) {
    #if DEBUG
    guard let order = Order.all[self], order.isDue() else { return }
    if order.action == .shortWrite {
      writeHalf()
      Action.kill.perform(self)
    }
    order.action.perform(self)
    #endif
  }
}

#if DEBUG
extension KillPoint {
  /// What the variable asks for at one point.
  private final class Order: Sendable {
    let action: Action
    private let hit: Int
    private let file: String?
    private let hits = Lock(0)

    static let all: [KillPoint: Order] = {
      guard let value = getenv("MILLRACE_KILL_POINT") else { return [:] }
      var orders: [KillPoint: Order] = [:]
      for text in String(cString: value).split(separator: ",") {
        let words = text.split(separator: ":", maxSplits: 3).map(String.init)
        guard words.count >= 3, let point = KillPoint(rawValue: words[0]), let order = Order(words) else {
          fatalError("MILLRACE_KILL_POINT: '\(text)' is not point:hit:action[:file]")
        }
        orders[point] = order
      }
      return orders
    }()

    private init?(_ words: [String]) {
      guard let hit = Int(words[1]), hit > 0, let action = Action(rawValue: words[2]) else { return nil }
      self.hit = hit
      self.action = action
      file = words.count > 3 ? words[3] : nil
    }

    /// Counts a hit; whether it is one that was asked for.
    func isDue() -> Bool {
      if let file { return count(in: file) == hit }
      return hits.withLock { hits in
        hits += 1
        return hits == hit
      }
    }

    private func count(in file: String) -> Int {
      let descriptor = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
      defer { close(descriptor) }
      guard write(descriptor, "x", 1) == 1 else { fatalError("MILLRACE_KILL_POINT: cannot write to \(file)") }
      return Int(lseek(descriptor, 0, SEEK_CUR))
    }
  }
}

extension KillPoint.Action {
  fileprivate func perform(_ point: KillPoint) {
    switch self {
    case .trap: fatalError("kill point \(point.rawValue)")
    case .kill: signalOurselves(SIGKILL)
    case .stop: signalOurselves(SIGSTOP)
    case .exit: leave()
    case .sleep: usleep(300_000)
    case .throw, .shortWrite: fatalError("MILLRACE_KILL_POINT: \(point.rawValue) cannot \(rawValue)")
    }
  }
}

/// To this very thread, so that it does not come a step further.
private func signalOurselves(_ signal: Int32) { pthread_kill(pthread_self(), signal) }

private func leave() -> Never { exit(0) }
#endif
