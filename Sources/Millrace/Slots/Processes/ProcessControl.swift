import CMillrace
import Logging
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The control thread of a pool of worker processes: it waits at once for answers, orders, deadlines and every child's
/// death, and steps the pool's dispatcher for them.
final class ProcessControl: @unchecked Sendable {
  // Sound: made by one thread, then used by the control thread only, one step after another.

  /// A slot's worker of one generation: the lanes that make it up. There is one that takes any worker, and one for each
  /// worker that its process was forked for.
  struct Seat {
    var generation: Int
    var lanes: [RemoteLane] = []
    /// Processes that must be gone before the slot is empty.
    var processes: Set<UInt64> = []
    var isStopping = false
    /// One of its processes has died, and the others are ended for it.
    var isBreaking = false
    /// What is known of its end, while some of its processes are still there.
    var death = Death(running: nil, cause: nil)
  }

  /// An item of a job, or, without one, the set-ups and tear-downs of a slot.
  struct StuckPlace: Hashable {
    let job: JobID?
    let index: Int
  }

  private enum Token {
    static let bell: UInt64 = 0
    static let server: UInt64 = 1
    static let firstProcess: UInt64 = 2

    static func child(_ process: UInt64) -> UInt64 { process << 2 }
    static func errors(_ process: UInt64) -> UInt64 { process << 2 | 1 }
    static func output(_ process: UInt64) -> UInt64 { process << 2 | 2 }
    static func control(_ process: UInt64) -> UInt64 { process << 2 | 3 }
  }

  let slots: ProcessSlots
  let host: any SlotHost
  let poller: Poller
  let relay: OutputRelay
  var server: ForkServer?
  /// When the server is to be looked after, for it has not answered; how often that was done.
  var answerBy: UInt64?
  var silence = 0
  /// When servers were lost: whoever goes on killing them is found out as if it had killed the workers.
  var serverLosses: [UInt64] = []
  @exclusivity(unchecked) var seats: [Int: Seat] = [:]
  @exclusivity(unchecked) var processes: [UInt64: WorkerProcess] = [:]
  /// Slots whose worker has died, nobody knows by whose doing: the next process of such a slot is its own.
  var apart: Set<Int> = []
  /// Where workers waited for a lock that was copied with the program, and how often.
  var stuck: [StuckPlace: Int] = [:]
  private var lastToken = Token.firstProcess - 1
  /// How many processes the kernel had killed for want of memory when we last looked.
  var knownVictims: Int?
  /// What the answers say to the dispatcher, not told yet.
  @exclusivity(unchecked) var news = RemoteNews()

  init(_ slots: ProcessSlots, _ host: any SlotHost) throws {
    self.slots = slots
    self.host = host
    poller = try Poller()
    relay = try OutputRelay()
    try poller.add(slots.bell.rawValue, as: Token.bell)
    slots.isHeard(with: poller.descriptor)
  }

  /// ```
  ///  orders ──┐                           ┌──▶ rings
  ///  rings  ──┤   (asleep in the poller)  ├──▶ fork server, signals
  ///  deaths ──┘                           └──▶ dispatcher
  /// ```
  func run() {
    while true {
      var isIdle = true
      for action in slots.takeMail() {
        isIdle = false
        perform(action)
      }
      for process in processes.values where receive(process) { isIdle = false }
      endOverdue()
      guard isIdle else { continue }
      if slots.isClosing, processes.isEmpty { break }
      // While the first processes start: nothing waits for it then.
      if knownVictims == nil { knownVictims = Machine.memoryVictims }
      guard slots.fallAsleep(), arm() else {
        slots.wakeUp()
        continue
      }
      let found = Result { () throws(SystemCallError) in
        let news = try poller.waitForNews(timeToDeadline(), lifeline: slots.lifeline)
        guard news.allSatisfy(isIntact) else { throw SystemCallError("poll", EBADF) }
        return news
      }
      slots.wakeUp()
      guard case .success(let news) = found else {
        if case .failure(let error) = found { lost(error) }
        break
      }
      for process in processes.values {
        process.roomBy = nil
        for lane in process.lanes { lane.disarm() }
      }
      for token in news { handle(token) }
    }
    server?.shutdown()
    server = nil
    if !relay.end(within: slots.limits.endingTime) {
      host.logger.warning(
        "the reader of standard output stands still: what the workers printed is passed on when it goes on, if the program lives so long"
      )
    }
    // Who waits for the pool's end finds nothing of it.
    poller.close()
    slots.closed()
  }

  /// Whether what there is to be heard of is still what it was. What was watched may go on in a worker, by the number of something of the
  /// program's.
  private func isIntact(_ token: UInt64) -> Bool {
    switch token {
    case Token.bell: return slots.bell.isIntact
    case Token.server: return server?.isIntact ?? true
    default:
      guard let process = processes[token >> 2] else { return true }
      switch token {
      case Token.errors(process.token): return process.errors.isIntact
      case Token.output(process.token): return process.output?.isIntact ?? true
      case Token.control(process.token): return process.control.isIntact
      default: return true
      }
    }
  }

  private func handle(_ token: UInt64) {
    switch token {
    case Token.bell: millrace_bell_clear(slots.bell.rawValue)
    case Token.server: serverHasNews()
    default:
      guard let process = processes[token >> 2] else { return }
      switch token {
      case Token.errors(process.token): readErrors(process)
      case Token.output(process.token): passOutput(of: process)
      case Token.control(process.token): hear(process)
      default: childEnded(process)
      }
    }
  }

  /// Asks every worker to ring; false if one has said something already.
  private func arm() -> Bool {
    for process in processes.values {
      if !process.unsaid.isEmpty { awaitRoom(process) }
      for lane in process.lanes {
        // A lane that cannot be armed has said nonsense, and is read again to say so.
        guard lane.isBroken || (try? lane.arm()) == true else { return false }
        if lane.waitsForSocket { awaitRoom(process) }
      }
    }
    return true
  }

  /// So long at the most, in nanoseconds, it sleeps on descriptors that may have been exchanged for others while it waits for a worker: who
  /// rings sees to it otherwise.
  private static let timeUnwatched: UInt64 = 2_000_000_000

  private func timeToDeadline() -> UInt64? {
    var first: UInt64?
    for process in processes.values {
      for case let time? in [process.killAt, process.goneBy, process.serveBy, process.roomBy] {
        first = min(first ?? time, time)
      }
    }
    if let answerBy { first = min(first ?? answerBy, answerBy) }
    if processes.values.contains(where: { $0.lanes.contains { $0.work.isOwing } }) {
      let lookBy = _monotonicNow() &+ Self.timeUnwatched
      first = min(first ?? lookBy, lookBy)
    }
    return first.map { time in
      let now = _monotonicNow()
      return time > now ? time - now : 0
    }
  }

  // MARK: Processes

  /// Starts a process; its lanes' orders wait in their rings until it is there.
  func launch(for slot: Int, forkedFor record: WorkerRecord?) throws -> WorkerProcess {
    KillPoint.parentLaunches.reach()
    lastToken += 1
    let token = lastToken
    let pair = try ControlSocket.Pair()
    let output = try Pipe()
    let errors = try Pipe()
    let outputNumber = output.reading.rawValue
    millrace_set_nonblocking(outputNumber)
    millrace_set_nonblocking(errors.reading.rawValue)
    let isServers = record == nil && slots.options.start == .forkServer
    let child: ChildProcess?
    if let record {
      let makeHost = record.remote.makeHost
      let surroundings = slots.surroundings
      child = try Spawner.fork(
        control: pair.worker.rawValue, stdout: output.writing.rawValue, stderr: errors.writing.rawValue
      ) { control in
        surroundings.takeOn()
        return HostProcess(control, makeForkedWorker: makeHost).run()
      }
    } else if isServers {
      let server = try runningServer()
      do throws(LaunchError) {
        try server.launch(
          token: token, control: pair.worker.rawValue, stdout: output.writing.rawValue, stderr: errors.writing.rawValue)
      } catch {
        // Somebody has closed our end: it is gone, and the next try has another one.
        if case .system(let reason) = error, reason.code == EBADF || reason.code == ENOTSOCK { lose(server, error) }
        throw error
      }
      awaitAnswer()
      child = nil
    } else {
      child = try Spawner.spawn(
        control: pair.worker.rawValue, stdout: output.writing.rawValue, stderr: errors.writing.rawValue,
        backtrace: backtrace, surroundings: slots.surroundings)
    }
    KillPoint.parentLaunched.reach()
    let process = WorkerProcess(
      token: token, control: pair.parent, forkedFor: record?.key, group: slot / slots.options.threadsPerProcess,
      isServers: isServers, output: output.reading, errors: errors.reading)
    processes[token] = process
    // Whatever fails from here on, it is ended.
    process.child = child
    do {
      try poller.add(outputNumber, as: Token.output(token))
      try poller.add(process.errors.rawValue, as: Token.errors(token))
      try poller.watch(socket: process.control.rawValue, as: Token.control(token), isNew: true)
      if let child { try started(process, child) }
      if record != nil {
        process.serveBy = _monotonicNow() &+ process.patience
      } else {
        guard let introduction = WorkerIntroduction(WorkerProcessMain.self) else {
          throw WireProblem("the program's image cannot be read")
        }
        try process.tell(introduction.bytes)
      }
      try process.tell(.logging(label: host.logger.label, level: host.logger.logLevel.rawValue))
      if !slots.options.environment.isEmpty { try process.tell(.configure(environment: slots.options.environment)) }
    } catch {
      // No slot has it, so nobody else would end it.
      end(process)
      throw error
    }
    return process
  }

  /// The backtracer reads its settings at a process's start, before it can be told of an environment.
  private var backtrace: String? { slots.options.environment["SWIFT_BACKTRACE"] ?? nil }

  private func runningServer() throws -> ForkServer {
    if let server { return server }
    let server = try ForkServer(backtrace: backtrace, surroundings: slots.surroundings)
    try poller.add(server.descriptor, as: Token.server)
    self.server = server
    return server
  }

  private func started(_ process: WorkerProcess, _ child: ChildProcess) throws {
    process.child = child
    try poller.add(child.descriptor, as: Token.child(process.token))
    if process.isKilledByUs { end(process) }
    // It has said what cannot be before we heard of its start.
    if process.problem != nil { child.kill() }
  }

  private func serverHasNews() {
    guard let server else { return }
    let events: [LaunchEvent]
    do {
      events = try server.events()
    } catch {
      return lose(server, error)
    }
    for event in events {
      switch event {
      case .started(let token, let child):
        if let process = processes[token] { try? started(process, child) }
      case .failed(let token, let error):
        if let process = processes[token] { neverStarted(process, error) }
      case .exited(let token, let exit):
        if let process = processes[token] { died(process, exit) }
      case .serverDied: lose(server, nil)
      }
    }
    hasAnswered()
  }

  /// The fork server has died, or cannot be listened to, and its workers go with it. They had no part in that, nor had what
  /// they ran: it is run again by those of the next server.
  func lose(_ server: ForkServer, _ error: (any Error)?) {
    poller.remove(server.descriptor)
    self.server = nil
    answerBy = nil
    let now = _monotonicNow()
    serverLosses.removeAll { now &- $0 > slots.limits.starts.period }
    serverLosses.append(now)
    let isForgiven = serverLosses.count <= slots.limits.starts.maximumDeaths
    let lost = processes.values.filter { $0.isServers && $0.child != nil && !$0.isKilledByUs }
    if isForgiven, !lost.isEmpty {
      host.logger.warning(
        "the fork server was lost (\(error.map { "\($0)" } ?? "somebody has killed it")), and its \(lost.count) workers with it; they are replaced, and what they ran is run again"
      )
      for process in lost { process.isKilledByUs = true }
    }
    for process in Array(processes.values) where process.isServers {
      if let error, process.child == nil {
        neverStarted(process, error)
      } else {
        process.child?.kill()
        died(process, ProcessExit(reason: .signalled(SIGKILL, dumpedCore: false), peakResidentBytes: 0))
      }
    }
  }

  func neverStarted(_ process: WorkerProcess, _ error: any Error) {
    processes[process.token] = nil
    forget(process)
    for lane in process.lanes { startFailed(lane.slot, error) }
  }

  private func childEnded(_ process: WorkerProcess) {
    guard let child = process.child else { return }
    if process.isServers { return awaitWord(of: process, child) }
    guard let exit = child.reap() else { return }
    died(process, exit)
  }

  /// Something has come over the control socket, or there is room in it again for what waits for that.
  private func hear(_ process: WorkerProcess) {
    if process.awaitsRoom {
      process.awaitsRoom = false
      try? poller.watch(socket: process.control.rawValue, as: Token.control(process.token))
    }
    do {
      if try !process.fetchNews() { hungUp(process) }
    } catch {
      broke(process, error)
      process.lanes.forEach { $0.isBroken = true }
    }
  }

  /// Wakes us when a worker has read of its control socket.
  private func awaitRoom(_ process: WorkerProcess) {
    // Where it is not this socket that is full, nothing tells when there is room.
    if process.sharing.isCrowded { return process.roomBy = _monotonicNow() &+ 1_000_000 }
    guard !process.awaitsRoom else { return }
    process.awaitsRoom = true
    try? poller.watch(socket: process.control.rawValue, as: Token.control(process.token), forRoom: true)
  }

  /// The other end of the control socket is closed: the worker ends, or it has lost what binds it to us and nobody will
  /// reach it any more.
  private func hungUp(_ process: WorkerProcess) {
    poller.remove(process.control.rawValue)
    process.isCutOff = true
    // Its lanes' last words may not have been read.
    if process.isEnding { _ = receive(process) }
    // Then exit handlers of the user's are what it still has to do.
    let time = process.hasLeft ? slots.limits.endingTime : WorkerProcess.timeToEnd
    process.killAt = min(process.killAt ?? .max, _monotonicNow() &+ time)
  }

  func forget(_ process: WorkerProcess) {
    ProgressBoard.here.end(progressSource(process))
    passOutput(of: process)
    poller.remove(process.errors.rawValue)
    poller.remove(process.control.rawValue)
    if let child = process.child { poller.remove(child.descriptor) }
  }

  // MARK: Standard output

  /// The process has printed for the first time, or will print no more. Most print nothing: the relay and its thread are
  /// for those that do.
  private func passOutput(of process: WorkerProcess) {
    guard let output = process.output.take(), output.isIntact else { return }
    poller.remove(output.rawValue)
    guard millrace_has_data(output.rawValue) != 0 else { return }
    do {
      try relay.add(output)
    } catch {
      host.logger(slot: process.group * slots.options.threadsPerProcess).error(
        "what the worker prints is lost: \(error)")
    }
  }

  // MARK: Standard error

  /// Reads what is there, but hardly more than the pipe holds: who prints without end must not keep us from all others.
  func readErrors(_ process: WorkerProcess) {
    for _ in 0..<8 {
      guard process.errors.isIntact else { return }
      let count = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { buffer in
        for lane in process.lanes { lane.lane.beginReadingErrors() }
        let count = read(process.errors.rawValue, buffer.baseAddress, buffer.count)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<max(0, count)])
        process.errorTail.take(bytes)
        for lane in process.lanes { lane.lane.endReadingErrors(total: process.errorTail.totalBytes) }
        if count > 0 {
          process.errorLines.take(bytes) { log($0, process) }
        }
        return count
      }
      if count == 0 { poller.remove(process.errors.rawValue) }
      guard count > 0 else { return }
    }
  }
}
