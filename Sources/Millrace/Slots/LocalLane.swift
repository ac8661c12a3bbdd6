import MillraceIPC
import Synchronization

/// A worker in this process: it runs what its mailbox holds, one command after the other.
///
/// The lane has a task of its own, which has nothing of any caller's. Chunks run in tasks that have the context of whoever made
/// their map (``CallerContext``), one for the chunks of a map that follow each other; the lane's own waits meanwhile.
///
/// Those tasks and those who watch the lane meet in the mailbox, under its lock: whoever takes the current run out of it
/// reports what became of it, so each item is reported once, also when a timeout and the end of an item coincide. The
/// reports come in that order too: the lane's tasks take the run and report it in one step of the pool, and the death of a
/// lane that was written off is told by nobody but who wrote it off, however soon its tasks end.
package final class LocalLane: @unchecked Sendable {
  // Sound: an instance is used by the lane's own task or the one that it waits for, and by nobody else before it is taken out; everything
  // else is constant or behind a lock.
  enum Command {
    case prepare(WorkerKey)
    case run(Chunk)
    case tearDown(WorkerKey)
    case stop
  }

  /// A chunk on its way through the worker.
  package struct Run: @unchecked Sendable {
    // Sound: `settle` writes to the outputs, which only the holder of the run does, under the mailbox's lock.
    let chunk: Chunk
    let outputs: any AnyObject & Sendable
    /// Tells the outputs which offsets are filled.
    let settle: (Range<Int>) -> Void
    var settled = 0
    /// What is behind some item was given back while it ran.
    var isShared = false

    init(chunk: Chunk, outputs: any AnyObject & Sendable, settle: @escaping (Range<Int>) -> Void) {
      self.chunk = chunk
      self.outputs = outputs
      self.settle = settle
    }
  }

  /// An instance that was taken out of the lane, to be torn down beside what that is at.
  struct Leaver: @unchecked Sendable {
    // Sound: nobody else has the instance any more.
    let worker: WorkerKey
    let number: Int
    let instance: AnyWorkerInstance?
  }

  struct Mailbox {
    var commands = FIFO<Command>()
    var sleeper: UnsafeContinuation<Void, Never>?
    /// The chunk that was taken from the commands and is not begun: until then it can be taken back.
    var taken: Int?
    var current: Run?
    var isDead = false
    /// The set-up or tear-down that is running.
    var errand: (what: String, worker: WorkerRecord?)?
    /// Whose set-up is running, in a task of its own.
    var settingUp: WorkerKey?
    /// Whose set-up nobody wanted any more before it began.
    var unwanted: WorkerKey?
    /// What was running when the lane was written off, and has not ended yet.
    var runaway: Runaway?
    /// The lane's own task.
    var own: Task<Void, Never>?
    /// The task of the map whose chunk is running, or of the set-up.
    var task: ItemTask?
    /// Those of what is torn down apart, by number.
    var leavers: [Int: Task<Void, Never>] = [:]
  }

  struct Instances: @unchecked Sendable {
    // Sound: as the lane.
    var all = Registry<WorkerKey, AnyWorkerInstance>()
  }

  let host: any SlotHost
  let runaways: Runaways
  package let slot: Int
  package let generation: Int
  /// Where the lane's tasks run; nil: on the default executor.
  let executor: (any TaskExecutor)?
  /// In a serial pool: what another slot has of a stage.
  let ofOtherLevels: (@Sendable (WorkerKey) -> Leaver?)?
  package let position = ItemPosition()
  /// What the worker's code knows of where it runs.
  let context: WorkerContext
  let copies: CopyGuard
  let mailbox = Lock(Mailbox())
  let instances = Lock(Instances())
  // The next three are touched by one task at a time, so their accesses need no check.
  @exclusivity(unchecked) private(set) var isTimed = false
  @exclusivity(unchecked) private var memoryClock = MemoryClock()
  /// What goes around each item of the chunk that is running, if anything does.
  @exclusivity(unchecked) private(set) var itemSurroundings: (any ChunkSurroundings)?

  init(
    host: any SlotHost, runaways: Runaways, slot: Int, generation: Int, executor: (any TaskExecutor)?,
    ofOtherLevels: (@Sendable (WorkerKey) -> Leaver?)? = nil
  ) {
    self.ofOtherLevels = ofOtherLevels
    self.host = host
    self.runaways = runaways
    self.slot = slot
    self.generation = generation
    self.executor = executor
    context = WorkerContext(slot: slot, position: position) { [host, slot] in host.logger(slot: slot) }
    copies = CopyGuard(position.progress)
  }

  // MARK: From those who step the dispatcher

  /// Queues a command; true if the lane sleeps and must be woken.
  func post(_ command: Command) -> Bool {
    mailbox.withLock { mailbox in
      mailbox.commands.append(command)
      if case .prepare = command { mailbox.unwanted = nil }
      return mailbox.sleeper != nil
    }
  }

  func wake() {
    let sleeper = mailbox.withLock { mailbox in
      defer { mailbox.sleeper = nil }
      return mailbox.sleeper
    }
    Unlocked.expect("a continuation")
    sleeper?.resume()
  }

  /// Takes back the chunk if it was not begun.
  func drop(_ chunk: Int) -> Bool {
    mailbox.withLock { mailbox in
      if mailbox.current?.chunk.id == chunk { return false }
      if mailbox.taken == chunk {
        mailbox.taken = nil
        return true
      }
      return !mailbox.commands.extract { if case .run(let queued) = $0 { queued.id == chunk } else { false } }.isEmpty
    }
  }

  /// Gives up the chunk, which is running: the task that is to be cancelled, as soon as no lock is held.
  func abandon(_ chunk: Int) -> ItemTask? {
    mailbox.withLock { mailbox in
      guard mailbox.current?.chunk.id == chunk else { return nil }
      _ = position.progress.abandon()
      return mailbox.task
    }
  }

  /// Nobody wants the worker any more, whose set-up was the last command: its task, if it has begun, that is to be cancelled as soon
  /// as no lock is held.
  func abandonSetUp(of key: WorkerKey) -> ItemTask? {
    mailbox.withLock { mailbox in
      if mailbox.settingUp == key { return mailbox.task }
      mailbox.unwanted = key
      return nil
    }
  }

  /// Takes back all of the running chunk but the item that it is at.
  func share(_ chunk: Int) -> Sharing {
    mailbox.withLock { mailbox in
      guard let run = mailbox.current, run.chunk.id == chunk else { return .notYet }
      guard let done = position.progress.makeLast(of: run.chunk.range.count) else { return .nothing }
      mailbox.current!.isShared = true
      return .from(run.chunk.range.lowerBound + done + 1)
    }
  }

  /// Which item of the chunk is running since when; nil if the chunk was not begun.
  func running(_ chunk: Int) -> (index: Int, since: UInt64)? {
    mailbox.withLock { mailbox in
      guard let current = mailbox.current, current.chunk.id == chunk else { return nil }
      let since = position.startTime.pointee.load(ordering: .relaxed)
      // What the item sees of itself may be its place in another map.
      return (position.index - current.chunk.origin.index, since)
    }
  }

  /// How many items of the job are done in the chunk that is running, beyond those that were told.
  func untold(of job: JobID) -> Int {
    mailbox.withLock { mailbox in
      guard let run = mailbox.current, run.chunk.job == job else { return 0 }
      return max(0, position.completed - run.settled)
    }
  }

  /// Writes the worker off. What it has done is kept; what it still does is not waited for.
  func kill() { writeOff(nil) }

  /// The lane's thread was ended by the item that ran on it: its tasks never go on.
  func lost() {
    writeOff(.exited(code: 0), "Fatal error: the item ended the thread that it ran on (pthread_exit)")
  }

  private func writeOff(_ cause: ItemFailure.Cause?, _ text: String = "") {
    let isLost = !text.isEmpty
    let (run, done, tasks, runaway) = mailbox.withLock { mailbox in
      mailbox.isDead = true
      mailbox.commands.removeAll()
      mailbox.taken = nil
      let run = mailbox.current
      mailbox.current = nil
      let done = run == nil ? 0 : position.progress.abandon()
      if let run { run.settle(run.settled..<max(run.settled, done)) }
      if let run, done < run.chunk.range.count {
        mailbox.runaway = Runaway("item \(run.chunk.range.lowerBound + done)", slot: slot)
      } else if let errand = mailbox.errand {
        mailbox.runaway = Runaway(errand.what, slot: slot, of: errand.worker)
      }
      let leavers = Array(mailbox.leavers.values)
      return (run, done, (own: mailbox.own, items: mailbox.task, leavers: leavers), mailbox.runaway)
    }
    if !isLost {
      tasks.items?.cancel()
      tasks.own?.cancel()
      for task in tasks.leavers { task.cancel() }
      wake()
      if let runaway { runaways.watch(runaway) }
    }
    let isRunning = run.map { done < $0.chunk.range.count } ?? false
    let retryable = (isRunning ? run : nil).map {
      host.isRetryable($0.chunk, $0.chunk.range.lowerBound + done, slot, isLost ? cause : nil)
    }
    host.step { [slot, generation] dispatcher, now in
      if let run, done > run.settled {
        dispatcher.completed(
          slot: slot, generation: generation, chunk: run.chunk.id, upTo: run.chunk.range.lowerBound + done,
          outputs: run.outputs, now: now)
      }
      let death = Death(
        running: isRunning ? run?.chunk.id : nil, cause: cause, retryable: retryable ?? true, standardError: text)
      dispatcher.died(slot: slot, generation: generation, death, now: now)
    }
  }

  // MARK: The lane's own task

  func start(atEnd: @escaping @Sendable () -> Void) {
    let task = Task.detached(executorPreference: executor) { [self] in
      await WorkerContext.$running.withValue(context, operation: loop)
      atEnd()
    }
    // If it was killed before: nothing of a user's runs in it.
    mailbox.withLock { $0.own = task }
  }

  private func loop() async {
    while true {
      guard let command = next() else {
        await waitForWork()
        continue
      }
      var goesOn = await execute(command)
      if goesOn, isDead { goesOn = await execute(.stop) }
      if !goesOn { break }
    }
    // Their thread is the lane's.
    for task in mailbox.withLock({ Array($0.leavers.values) }) { await task.value }
  }

  /// Whether the lane was written off: whoever did so tells of its death.
  var isDead: Bool { mailbox.withLock { $0.isDead } }

  /// Whether there is a next command.
  var hasWork: Bool { mailbox.withLock { $0.isDead || !$0.commands.isEmpty } }

  /// The next command; nil if there is none, or it is another job's chunk and those are not wanted.
  func next(ofOthersThan job: JobID? = nil, _ takesOthers: Bool = true) -> Command? {
    mailbox.withLock { mailbox in
      guard !mailbox.isDead else { return .stop }
      if !takesOthers, case .run(let chunk) = mailbox.commands.first, chunk.job != job { return nil }
      let command = mailbox.commands.popFirst()
      if case .run(let chunk) = command { mailbox.taken = chunk.id }
      return command
    }
  }

  /// The next command, if that runs nobody's code.
  func nextPlain() -> Command? {
    guard let first = mailbox.withLock({ $0.isDead ? .stop : $0.commands.first }), isPlain(first) else { return nil }
    return mailbox.withLock { mailbox in
      if case .stop = first, mailbox.isDead { return .stop }
      return mailbox.isDead ? nil : mailbox.commands.popFirst()
    }
  }

  private func isPlain(_ command: Command) -> Bool {
    switch command {
    case .run: false
    case .prepare(let key): host.worker(key)?.opensNothing == true
    case .tearDown(let key): host.worker(key)?.closesNothing == true
    case .stop: instances.withLock { Array($0.all.keys) }.allSatisfy { host.worker($0)?.closesNothing == true }
    }
  }

  private func waitForWork() async {
    await withUnsafeContinuation { continuation in
      let isNeeded = mailbox.withLock { mailbox in
        if mailbox.isDead || !mailbox.commands.isEmpty { return false }
        mailbox.sleeper = continuation
        return true
      }
      if !isNeeded { continuation.resume() }
    }
  }

  /// False if the lane is to end.
  func execute(_ command: Command) async -> Bool {
    switch command {
    case .prepare(let key): await prepare(key)
    case .run(let chunk): await run(chunk)
    case .tearDown(let key): await tearDown(key)
    case .stop:
      await tearDownQuietly()
      return false
    }
    return true
  }

  /// Executes a command of a serial pool that is not of the calling task's own map: code of a worker's that is not a map's
  /// sees nothing of a caller's.
  func executeApart(_ command: Command) async -> Bool {
    if isPlain(command) { return await execute(command) }
    switch command {
    case .run(let chunk):
      // And no more: another's map may have chunks for ever.
      await run(chunk, isAlone: true)
    case .prepare(let key):
      // The task that sees nothing of the caller's is also the one that can be cancelled alone.
      let setUp = settingUp(key)
      await apart(setUp) { [self] in await prepare(key, in: setUp) }
    case .tearDown(let key): await apart { [self] in await tearDown(key) }
    case .stop:
      await apart { [self] in await tearDownQuietly() }
      return false
    }
    return true
  }

  private func apart(_ known: ItemTask? = nil, _ body: @escaping @Sendable () async -> Void) async {
    let task = Task.detached(executorPreference: LaneThread.ofFork) { [context] in
      await WorkerContext.$running.withValue(context, operation: body)
    }
    known?.begin(task)
    await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      task.cancel()
    }
  }

  /// Runs the chunk, and those of its map that are behind it unless it is to be alone, in the map's context.
  private func run(_ chunk: Chunk, isAlone: Bool = false) async {
    guard let job = host.job(chunk.job), let context = job.context else { return gaveBack(chunk) }
    await withUnsafeContinuation { continuation in
      let task = ItemTask()
      mailbox.withLock { $0.task = task }
      let isMade = context.spawn(on: executor) { [self] in
        await runRow(chunk, job.place, isAlone: isAlone)
        task.end()
        continuation.resume()
      } made: {
        task.begin($0)
      }
      if !isMade {
        gaveBack(chunk)
        continuation.resume()
      }
    }
  }

  /// Runs the chunk, and those of its map that are behind it. In a task that has the map's context.
  func runRow(_ first: Chunk, _ place: Nesting.Place?, isAlone: Bool = false) async {
    await Nesting.$place.withValue(place) {
      await WorkerContext.$running.withValue(context) {
        var next: Chunk? = first
        while let chunk = next {
          isTimed = chunk.inspectAt != nil
          Unlocked.expect("an item")
          if let companion = chunk.companion {
            await run(chunk, in: companion.surroundings(ofChunk: chunk.id))
          } else {
            await instance(chunk.worker)?.run(chunk, seed: chunk.seed, on: self)
          }
          next = isAlone || Task.isCancelled ? nil : nextRun(of: chunk.job)
        }
      }
      codeHasEnded()
    }
  }

  private func run(_ chunk: Chunk, in surroundings: any ChunkSurroundings) async {
    itemSurroundings = surroundings.surroundsItems ? surroundings : nil
    await surroundings.around { await instance(chunk.worker)?.run(chunk, seed: chunk.seed, on: self) }
    itemSurroundings = nil
  }

  private func nextRun(of job: JobID) -> Chunk? {
    mailbox.withLock { mailbox in
      guard !mailbox.isDead, case .run(let chunk) = mailbox.commands.first, chunk.job == job else { return nil }
      _ = mailbox.commands.popFirst()
      mailbox.taken = chunk.id
      return chunk
    }
  }

  /// Nobody wants the chunk any more, and its map is gone.
  private func gaveBack(_ chunk: Chunk) {
    guard drop(chunk.id) else { return }
    host.step { [slot, generation] in
      $0.finished(slot: slot, generation: generation, chunk: chunk.id, items: 0, elapsed: 0, now: $1)
    }
  }

  // MARK: From the run of a chunk

  /// Begins the run; false if its chunk was taken back, or the lane was written off.
  package func enter(_ run: Run, seed: UInt64) -> Bool {
    let origin = run.chunk.origin
    position.enter(
      first: origin.index + run.chunk.range.lowerBound, attempt: origin.attempt - 1 + run.chunk.attempt, seed: seed)
    copies.enter()
    return mailbox.withLock { mailbox in
      guard mailbox.taken == run.chunk.id else { return false }
      mailbox.taken = nil
      position.startTime.pointee.store(_monotonicNow(), ordering: .relaxed)
      position.progress.pointee.store(0, ordering: .releasing)
      mailbox.current = run
      return true
    }
  }

  /// Takes the current run, to report on it; nil if somebody else did.
  private func takeRun(doneTo done: Int) -> Run? {
    mailbox.withLock { mailbox in
      guard let run = mailbox.current else { return nil }
      mailbox.current = nil
      run.settle(run.settled..<max(run.settled, done))
      return run
    }
  }

  package func finished(items: Int, elapsed: UInt64) { end(items: items, elapsed: elapsed, isWhole: true) }

  package func gaveUp(items: Int, elapsed: UInt64) { end(items: items, elapsed: elapsed, isWhole: false) }

  /// Takes the current run and reports on it, at once: nobody's death comes in between.
  private func end(items: Int, elapsed: UInt64, isWhole: Bool) {
    // The worker has what the program has.
    let memory = host.samplesMemory && memoryClock.isDue(at: _monotonicNow()) ? Machine.residentBytes : nil
    host.step { [self] dispatcher, now in
      guard let run = takeRun(doneTo: items) else { return }
      let outputs = run.settled < items ? run.outputs : nil
      // The dispatcher may not know yet how much of a chunk that was shared this is.
      let isWhole = isWhole && !run.isShared
      if !isWhole, let outputs {
        dispatcher.completed(
          slot: slot, generation: generation, chunk: run.chunk.id, upTo: run.chunk.range.lowerBound + items,
          outputs: outputs, now: now)
      }
      dispatcher.finished(
        slot: slot, generation: generation, chunk: run.chunk.id, outputs: isWhole ? outputs : nil, items: items,
        elapsed: elapsed, memory: memory, now: now)
    }
  }

  /// The item at the offset threw. False if nobody wants to know.
  package func threw(_ error: any Error, at offset: Int) -> Bool {
    guard let chunk = mailbox.withLock({ $0.current?.chunk }) else { return false }
    let index = chunk.range.lowerBound + offset
    let error = error.withoutLevels
    let retryable = host.isRetryable(chunk, index, slot, .threw(error))
    var isWanted = false
    host.step { [self] dispatcher, now in
      // The item may have been given up while its error was looked at.
      let run = mailbox.withLock { mailbox -> Run? in
        guard let run = mailbox.current else { return nil }
        run.settle(run.settled..<offset)
        mailbox.current!.settled = offset + 1
        return run
      }
      guard let run else { return }
      isWanted = true
      if offset > run.settled {
        dispatcher.completed(
          slot: slot, generation: generation, chunk: chunk.id, upTo: index, outputs: run.outputs, now: now)
      }
      dispatcher.itemFailed(
        slot: slot, generation: generation, chunk: chunk.id, .threw(error), retryable: retryable, now: now)
    }
    return isWanted
  }
}
