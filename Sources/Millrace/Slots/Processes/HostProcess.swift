import CMillrace
import Logging
package import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a worker process runs in place of the program's `main`: lanes, as the pool asks for them.
package enum WorkerProcessMain: WorkerMain {
  package static func run(control: consuming ControlSocket) -> Int32 {
    HostProcess(control, makeForkedWorker: nil).run()
  }
}

/// A worker process: its control socket on the thread that it starts with, each lane on a thread of its own.
package final class HostProcess: Sendable {
  private let control: ControlSocket
  /// In a process that was forked for one worker: makes it. Nothing of a user's runs for that.
  let makeForkedWorker: (@Sendable () -> any HostedWorker)?
  private let lanes = Lock<[Int: HostLane]>([:])
  private let laneHasEnded = Bell()
  /// The shared objects that it was given.
  let objects = SharedInbox()
  private let bell = Lock<Doorbell?>(nil)
  private let logging = Lock((label: "millrace.worker", level: Logger.Level.info))

  init(_ control: consuming ControlSocket, makeForkedWorker: (@Sendable () -> any HostedWorker)?) {
    self.control = control
    self.makeForkedWorker = makeForkedWorker
  }

  /// Serves the pool until it says that it is over; the exit code.
  func run() -> Int32 {
    millrace_output_by_lines()
    KillPoint.workerServes.reach()
    if makeForkedWorker != nil { ForkProbe.run() }
    WorkerExecutors.take(isFork: makeForkedWorker != nil) { millrace_worker_thread_ended() }
    do {
      while true {
        switch try control.receive() {
        case .message(var message):
          guard try handle(ControlNews(bytes: message.bytes), &message) else { return 0 }
        case .nothing: continue
        case .closed: return 0
        }
      }
    } catch {
      fail(error)
    }
  }

  private func handle(_ news: ControlNews, _ message: inout ControlMessage) throws -> Bool {
    switch news {
    case .configure(let environment):
      for (name, value) in environment {
        if let value { setenv(name, value, 1) } else { unsetenv(name) }
      }
    case .logging(let label, let level):
      logging.withLock { $0 = (label, Logger.Level(rawValue: level) ?? .info) }
    case .lane(let number, let slot, let cpus):
      guard let memory = message.takeDescriptor(), let bell = message.takeDescriptor() else {
        throw WireProblem("a lane without its descriptors")
      }
      let lane = HostLane(
        try Lane(mapping: memory.take()), bell: try bellOfThePool(bell), number: number, slot: slot, process: self)
      lanes.withLock { $0[number] = lane }
      KillPoint.workerIsSeated.reach()
      let thread = LaneThread()
      if makeForkedWorker != nil { LaneThread.ofFork = thread }
      Task(executorPreference: thread) {
        await lane.loop(on: thread)
        self.lanes.withLock { $0[number] = nil }
        self.laneHasEnded.ring()
        thread.end()
      }
      try startThread("millrace-\(slot)", cpus: cpus.isEmpty ? nil : cpus) {
        // What it ran will not be answered, and what is behind it not be begun.
        millrace_worker_thread_ended()
      } _: {
        thread.run()
      }
    case .segment(let number, let id):
      guard let descriptor = message.takeDescriptor() else { throw WireProblem("a segment without its descriptor") }
      try lanes.withLock { $0[number] }?.adopt(id, descriptor.take())
    case .cancel(let number, let numbers): lanes.withLock { $0[number] }?.giveUp(numbers)
    case .shared(let tokens):
      for token in tokens {
        guard let descriptor = message.takeDescriptor() else { throw WireProblem("an object without its descriptor") }
        objects.take(token, descriptor.take())
      }
    case .forget(let ids):
      for id in ids { objects.forget(id) }
    case .made: throw WireProblem("an object from the pool")
    case .elsewhere(let count):
      guard let descriptor = message.takeDescriptor() else { throw WireProblem("news without its memory") }
      let memory = try SharedMemory(adopting: descriptor.take())
      let place = try memory.map(writable: false)
      guard (0...place.size).contains(count) else { throw WireProblem("news of \(count) bytes in \(place.size)") }
      let bytes = [UInt8](UnsafeRawBufferPointer(start: place.base, count: count))
      return try handle(ControlNews(bytes: bytes), &message)
    case .end:
      waitForLanes()
      return false
    }
    return true
  }

  /// What all lanes ring, which came with the first one, before any code of the user's: there it was put out of the user's
  /// way. The pool has no other, so those that come later are not needed.
  private func bellOfThePool(_ bell: consuming Descriptor) throws -> Doorbell {
    if let known = self.bell.withLock({ $0 }) { return known }
    let lifted = millrace_fd_lift(bell.take())
    guard lifted >= 0 else { throw SystemCallError("fcntl", errno) }
    let doorbell = Doorbell.event(lifted)
    self.bell.withLock { $0 = doorbell }
    return doorbell
  }

  private func waitForLanes() {
    while !lanes.withLock({ $0.isEmpty }) { laneHasEnded.waitForWork() }
  }

  /// A logger for a worker in a slot: what it says is said by the program.
  func logger(slot: Int) -> Logger {
    let (label, level) = logging.withLock { $0 }
    var logger = Logger(label: label) { _ in WorkerLogHandler(logLevel: level) }
    logger[metadataKey: "slot"] = "\(slot)"
    return logger
  }

  func announce(segment id: UInt32, lane: Int, _ descriptor: Int32) {
    KillPoint.workerAnnouncesSegment.reach()
    do {
      try send(.segment(lane: lane, id: id), descriptor)
    } catch {
      // No item's fault: the next one would fare no better.
      fail(error)
    }
  }

  /// Sends the descriptor of an object that is in an output; waits for room.
  func announce(_ token: SharedToken, lane: Int, chunk: UInt64, _ descriptor: Int32) throws {
    do throws(SystemCallError) {
      try send(.made(lane: lane, chunk: chunk, token), descriptor)
    } catch  where error.isForCrowd {
      throw error
    } catch {
      // No item's fault: the next one would fare no better.
      fail(error)
    }
  }

  /// Sends a descriptor; waits for room.
  private func send(_ news: ControlNews, _ descriptor: Int32) throws(SystemCallError) {
    let bytes = news.bytes
    var tries = 0
    while true {
      do throws(SystemCallError) {
        return try control.send(bytes, descriptors: [descriptor])
      } catch  where error.isForCrowd && tries < Self.mostTries {
        // Those of the user's other programs count too. They are fewer when the pool has read some, and nothing tells when
        // that is.
        tries += 1
        usleep(1_000)
      }
    }
  }

  private static let mostTries = 10_000

  /// Ends the process if what binds it to the pool was closed.
  func endIfCutOff() {
    if let bell = bell.withLock({ $0 }), !bell.isOpen { fail(WireProblem("its descriptors were closed")) }
  }

  /// The process cannot go on: says why, and ends. The pool takes it for a crash.
  func fail(_ error: any Error) -> Never {
    millrace_worker_lost("\(error)")
  }
}
