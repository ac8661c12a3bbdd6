import Logging
import MillraceIPC

/// A pipeline that runs: one job for each station, and the machine that says what moves between them.
///
/// ```
///   pools ──outcomes, ends──▶ ┌─────────┐           ┌── feeds: into the jobs' edges
///   jobs ──demand───────────▶ │ mailbox │ ──turn──▶ │── consumed: the writers' windows have room
///   consumer ──wants────────▶ └─────────┘           └── consumer: outputs, failures, the end
/// ```
///
/// Whoever has news puts it into the mailbox, which may be done under a pool's lock, and takes the turn if nobody has it. Who has the
/// turn carries everything out, with no lock held: so everything but the mailbox belongs to one thread at a time, and
/// whatever a pool is told is in order.
final class PipelineEngine: @unchecked Sendable {
  // Sound: all that changes is in `mailbox` or `end`, or belongs to the turn.
  typealias Event = @Sendable (PipelineEngine) -> Void

  /// Whoever builds it has the turn.
  private let mailbox = OrderQueue<Event>(isHeld: true)
  /// How it has ended, and who waits for that.
  let end = RunEnd()
  let logger: Logger
  /// Where code of the run's is: what it runs as is told by this.
  let inside: RunScope

  // The turn's.
  var machine = FlowMachine()
  private(set) var stations: [FlowStation] = []
  var queues: [ParcelQueue] = []
  /// Of each edge the station that reads from it; nil: the consumer.
  private var readers: [Int?] = []
  private var inputs: [[Int]] = []
  /// How many items of an edge belong together at most.
  private var widest = 1
  private(set) var outputs: [[Int]] = []
  /// Pools that were made for the run.
  private var pools: [WorkerPool] = []
  /// Side channels that end with the run, if nobody else uses them.
  private var channels: [any SideUse] = []
  /// What is measured of it; nil: nothing is.
  var meter: PipelineMeter?
  /// Look after those whose slots are shared, until the run is over.
  var balancing: [Task<Void, Never>] = []
  /// Of each output who takes it.
  private var consumers: [PipelineConsumer] = []
  private var takers: [Taker] = []
  /// Whether a failed item that ends it has its place among the outputs: what is before it comes first. Else it ends the run at once.
  let isInOrder: Bool
  /// What has ended it at once.
  private var error: (any Error)?
  /// What ends it when all that was read has gone through.
  private var problem: (any Error)?
  /// What ends it then, if nothing else does: its pool reads no more.
  private var poolsEnd: (any Error)?
  /// The pool that it was given, which waits for its end.
  private var given: WorkerPool?
  private(set) var isGivenUp = false
  private var isPaused = false
  /// What self-fed stations have not been told while it pauses.
  private var owed: [Int: Int] = [:]
  private var hasFinished = false

  /// An output, as it is taken.
  private struct Taker {
    let edge: Int
    let station: Int
    /// Nobody takes it any more.
    var hasBeenLeft = false
    /// It is taken as it comes.
    var isTaken = false
    /// Its consumer has got to the failure that ends the run.
    var isAtItsEnd = false
  }

  init(order: MapOptions.Order, logger: Logger, inside: RunScope) {
    isInOrder = order == .input
    self.inside = inside
    self.logger = logger
  }

  // MARK: Building

  /// Adds a station behind those that it reads from, of which each has an edge to it.
  func add(_ station: FlowStation, from sources: [Int]) -> Int {
    let isMerge = station.joiner == nil && sources.count > 1 && station.shares == nil
    let place = machine.addStation(
      station.name, takes: station.deal != nil ? .asDealt : isMerge ? .asItComes : .together,
      gives: station.isChoice ? .one : .all)
    stations.append(station)
    inputs.append([])
    outputs.append([])
    for (branch, source) in sources.enumerated() {
      let share = station.shares?[branch] ?? station.deal?.shares[branch] ?? 1
      widest = max(widest, share)
      machine.connect(source, to: place, room: Self.room, share: share)
      connect(source, to: place)
    }
    return place
  }

  /// What comes to this station comes in the order in which another has dealt it to these, which begin the branches.
  func collect(at place: Int, from choice: Int, by heads: [Int]) {
    let lanes = zip(heads, inputs[place]).map { head, input in
      (dealt: outputs[choice].first { readers[$0] == head }!, input: input)
    }
    machine.collect(at: place, what: choice, deals: lanes)
  }

  /// Adds an output for who takes it, perhaps from the beginning.
  func addOutput(of station: Int, for consumer: PipelineConsumer, hasBegun: Bool) {
    _ = machine.addOutput(station, room: Self.room, hasBegun: hasBegun)
    takers.append(Taker(edge: queues.count, station: station))
    consumers.append(consumer)
    connect(station, to: nil)
  }

  private func connect(_ from: Int, to reader: Int?) {
    outputs[from].append(queues.count)
    if let reader { inputs[reader].append(queues.count) }
    queues.append(ParcelQueue())
    readers.append(reader)
  }

  func owns(_ pool: WorkerPool) { pools.append(pool) }

  /// The pool was given for the run, which ends with it.
  func depends(on pool: WorkerPool) throws {
    try pool.core.add(self)
    given = pool
  }

  /// A channel into which its stages put, some of them from other processes.
  func use(_ channel: any SideUse, isElsewhere: Bool) throws {
    channels.append(channel)
    inside.uses(try channel.enter(isElsewhere: isElsewhere) { error in self.tell { $0.fail(error) } })
  }

  /// A join's edge that is widened to so many items is worth a notice.
  static var wide: Int { 4_096 }

  /// How many items may wait between two stations, beside those that the second has asked for.
  static var room: Int { 16 }

  // MARK: The mailbox

  /// Leaves news; whoever left it calls `pump` when no lock is held.
  func post(_ event: @escaping Event) { mailbox.accept(event) }

  /// Carries out what is in the mailbox, unless somebody is at it, who will.
  func pump() { mailbox.flush(carryOut) }

  /// It is built, and begun.
  func open() {
    carryOut()
    mailbox.release(rounds: Self.rounds, carryOut, handOver: goOn)
  }

  /// Whoever starts a run, or asks something of it, has other things to do than what stations leave all the time: after so many rounds
  /// the turn goes on in a task.
  private static let rounds = 16

  private func goOn() {
    Task(executorPreference: LaneThread.ofFork) { self.mailbox.release(self.carryOut) }
  }

  private func carryOut(_ event: Event) {
    event(self)
    carryOut()
  }

  func tell(_ event: @escaping Event) {
    post(event)
    mailbox.flush(rounds: Self.rounds, carryOut, handOver: goOn)
  }

  // MARK: What happens

  /// A station's job is over; its workers are not torn down yet.
  func ended(_ place: Int, _ end: JobEnd) {
    let station = stations[place]
    switch end {
    case .complete: fillHoles(place, before: .max)
    case .failed(is ItemFailure) where station.hasFailed: station.job?.drive?.cancel()
    // Of an item that has failed it has heard from its outcomes: this is about the station, or what it reads.
    case .failed(let error):
      fillHoles(place, before: station.answered)
      station.isBroken = !station.isSelfFed
      endsWith(station.error(station.isSelfFed ? .sourceFailed : .stationFailed, error), at: place)
    case .cancelled:
      // What runs in a task of the run's own is told.
      station.job?.drive?.cancel()
      if !machine.isCancelled(place) { fail(WorkerPoolError(.closed, "the pool was terminated")) }
    }
    guard let job = station.job, let record = job.record, let pool = job.pool else { return }
    Task(executorPreference: LaneThread.ofFork) {
      await job.job?.progress?.finish()
      await job.job?.feeder.waitUntilOut()
      await pool.core.close(record)
      self.tell { $0.tornDown(place) }
    }
  }

  private func tornDown(_ place: Int) {
    let station = stations[place]
    guard !station.hasEnded, let job = station.job else { return }
    let (puts, count, problem) = job.exits()
    if let puts, !isGivenUp, !station.hasFailed {
      let last = max(
        0, station.isSelfFed ? station.answered - 1 : station.sources.source(of: station.answered - 1) ?? 0)
      let sources = Sources(Array(repeating: station.originOfRest(last), count: count))
      put(Parcel(content: .values(puts, from: 0), count: count, sources: sources), place)
      station.note(used: 0, made: count, isEach: false)
      machine.produced(place, used: 0, made: count)
    }
    if let problem {
      station.isBroken = true
      endsWith(station.error(.tearDownFailed, problem), at: place)
    }
    if let end = station.end, !isGivenUp, !station.hasFailed, !station.hasStopped, !station.isBroken {
      putEnd(end, place)
    }
    station.hasEnded = true
    machine.ended(place)
  }

  /// A stage wants no more input: what it has put is kept, and what feeds only it is cancelled.
  func stopAsked(_ place: Int) {
    let station = stations[place]
    station.hasStopped = true
    if station.isSelfFed {
      // What it wants no more of need not come.
      guard let job = station.job, let record = job.job, let pool = job.pool else { return }
      pool.core.step { _ = $0.stopReading(record.id, now: $1) }
    } else {
      machine.stopAsked(place)
    }
  }

  /// What was read is finished; then the job ends as if there were no more. False if it had ended already, or was told so before.
  @discardableResult
  private func endInput(_ place: Int) -> Bool {
    let station = stations[place]
    guard !station.readsNoFurther, let job = station.job, let record = job.job, let pool = job.pool,
      pool.core.ask({ dispatcher, _ in dispatcher.isOpen(record.id) })
    else { return false }
    station.readsNoFurther = true
    Task(executorPreference: LaneThread.ofFork) { await pool.core.readNoFurther(record) }
    return true
  }

  /// The consumer takes what there is, or the next thing that comes.
  func wants(_ output: Int = 0) {
    let taker = takers[output]
    if taker.isTaken { return }
    let count = max(1, machine.waiting(in: taker.edge) + machine.held(by: taker.station))
    // What he has asked for and not got may be held up by who takes another output.
    let more = count - machine.wanted(of: output)
    if more > 0 { machine.wanted(output, more) }
  }

  /// The consumers take everything, as it comes.
  func wantsAll() {
    for output in takers.indices where !takers[output].isTaken {
      takers[output].isTaken = true
      machine.wanted(output, .max / 2)
    }
  }

  /// The consumer takes no more.
  func left(_ output: Int = 0) {
    takers[output].hasBeenLeft = true
    machine.left(output)
  }

  /// The consumer's task was cancelled: it is as if he left, and if he was the last, the run is.
  func cancel(_ output: Int) {
    guard hasOthers(output) else { return cancel() }
    consumers[output].end(.failure(CancellationError()))
    left(output)
  }

  /// Whether others than the output's consumer get more.
  private func hasOthers(_ output: Int) -> Bool {
    takers.indices.contains { $0 != output && !machine.hasEnded(output: $0) }
  }

  /// A consumer who has all of his output does not wait for the others'.
  private func end(_ output: Int) {
    guard error == nil, !isGivenUp, !takers[output].hasBeenLeft, hasOthers(output) else { return }
    consumers[output].end((problem ?? poolsEnd).map { .failure($0) } ?? .success(()))
  }

  /// So long nobody may take of an output for which all others wait.
  private static let patience = Duration.seconds(1)

  private func isUnattended(_ output: Int) {
    Task { [weak self] in
      do { try await ContinuousClock().sleep(for: Self.patience) } catch { return }
      self?.tell { $0.patienceIsOver(output) }
    }
  }

  private func patienceIsOver(_ output: Int) {
    guard machine.isUnattended(output: output), !isGivenUp, !hasFinished else { return }
    fail(
      PipelineError(
        .standstill, stations[takers[output].station].whole,
        "\(machine.waiting(in: takers[output].edge)) items wait for the loop over output \(output + 1), which has not begun, and the others get no more "
          + "before they are taken: take all outputs at once, each in a task of its own, or let go of what is not wanted"
      ))
  }

  func cancel() {
    guard !hasFinished else { return }
    fail(CancellationError())
  }

  /// What is under way is given up. What has gone wrong before is what ends it.
  func stopNow() {
    guard let problem, error == nil, !hasFinished else { return cancel() }
    self.problem = nil
    fail(problem)
  }

  /// An item has failed that ends the run. In order that is when whoever takes the outputs gets to it: it travels behind all that is
  /// before it, and ends each station that it comes to as the end of the input does, so that what is gathered there comes before it, too.
  func failed(_ place: Int, _ failure: ItemFailure, as parcel: Parcel) {
    let station = stations[place]
    putEnd(parcel, place)
    if !station.isSelfFed { machine.stopAsked(place) }
    endsJob(of: station, failure)
  }

  /// An item has failed that ends the run at once.
  func failedAtOnce(_ place: Int, _ failure: ItemFailure, as told: ItemFailure) {
    endsJob(of: stations[place], failure)
    fail(told)
  }

  /// Its job has failed, whatever becomes of the others: so it says in what is seen of its pool.
  func endsJob(of station: FlowStation, _ failure: ItemFailure) {
    station.hasFailed = true
    guard let job = station.job, let record = job.job, let pool = job.pool else { return }
    pool.core.step { $0.fail(record.id, failure, now: $1) }
  }

  /// Nothing comes behind it: where several items belong together it is all of those, as of less nothing would be taken.
  private func putEnd(_ parcel: Parcel, _ place: Int) {
    for _ in 0..<widest { put(parcel, place) }
    stations[place].note(used: 0, made: widest, isEach: false)
    machine.produced(place, used: 0, made: widest)
  }

  /// A station, or what it reads, cannot go on: what was read is finished and goes to whoever wants it, and then the run ends with the error.
  private func endsWith(_ error: any Error, at place: Int) {
    if problem == nil { problem = error } else { isBeside(error) }
    guard !isGivenUp else { return }
    if !stations[place].isSelfFed { machine.stopAsked(place) }
    // Where things come together as they come, the other inputs would go on.
    if machine.hasMerges { drain() }
  }

  /// One error ends a run.
  private func isBeside(_ error: any Error) {
    logger.warning("a pipeline that ends with another error could not go on here either: \(error)")
  }

  /// Ends it, when what it is just handing on is there.
  func fail(_ error: any Error) {
    if self.error == nil { self.error = error }
    post { $0.giveUp() }
  }

  /// What is there goes to whoever wants it, unless he has given it up himself.
  private func giveUp() {
    guard !isGivenUp, !hasFinished else { return }
    if !(error is CancellationError) {
      for output in takers.indices where !takers[output].hasBeenLeft {
        deliver(queues[takers[output].edge].takeAll(), to: output)
      }
    }
    isGivenUp = true
    inside.gate.open()
    for station in stations { station.gatherer?.alarm?.cancel() }
    for edge in queues.indices { queues[edge].removeAll() }
    machine.cancelled()
  }

  /// Reads no more; what was read is finished.
  func drain() { for place in stations.indices where stations[place].isSelfFed { endInput(place) } }

  /// The pool of the run reads no more. What comes of what was read waits where its consumer finds it, whether he takes it or not.
  private func drain(with error: any Error) {
    guard !hasFinished, !isGivenUp else { return }
    pause(false)
    for place in stations.indices where stations[place].isSelfFed && endInput(place) {
      if poolsEnd == nil, !takers.allSatisfy(\.hasBeenLeft) { poolsEnd = stations[place].error(.sourceFailed, error) }
    }
    wantsAll()
  }

  private func giveUpWithPool() {
    if !hasFinished { fail(WorkerPoolError(.closed, "the pool was terminated")) }
    for pool in pools { pool.core.terminate() }
  }

  func pause(_ isPaused: Bool) {
    self.isPaused = isPaused
    guard !isPaused || hasFinished else { return inside.gate.close() }
    inside.gate.open()
    for (place, count) in owed { consumed(place, count) }
    owed = [:]
  }

  // MARK: What the machine says

  private func carryOut() {
    while case let actions = machine.takeActions(), !actions.isEmpty {
      for action in actions { carryOut(action) }
    }
    for place in stations.indices where stations[place].job != nil {
      let count = stations[place].settle(held: isGivenUp ? 0 : machine.held(by: place))
      if count > 0 { consumed(place, count) }
    }
  }

  private func consumed(_ place: Int, _ count: Int) {
    if isPaused, stations[place].isSelfFed { return owed[place, default: 0] += count }
    guard let job = stations[place].job, let record = job.job else { return }
    job.pool?.core.consumed(record, count: count)
  }

  private func carryOut(_ action: FlowMachine.Action) {
    switch action {
    case .feed(let place, let count, let ended): feed(place, count, ended: ended)
    case .take(let edge, let count):
      // Only merges take from one edge at a time.
      let place = readers[edge]!
      var made = 0
      for parcel in queues[edge].take(count) { made += pass(parcel, place, from: edge) }
      machine.produced(place, used: count, made: made)
    case .send(let edge, let count):
      let station = outputs.firstIndex { $0.contains(edge) }!
      for parcel in stations[station].undecided.take(count) { queues[edge].append(parcel) }
    case .room: break
    case .deliver(let output, let count):
      let parcels = queues[takers[output].edge].take(count)
      deliver(parcels, to: output)
    case .drop(let edge, let count):
      if !isGivenUp { _ = queues[edge].take(count) }
    case .cancel(let place):
      let station = stations[place]
      if let job = station.job, let record = job.job {
        job.pool?.core.cancel(record)
      } else {
        machine.ended(place)
      }
    case .widen(let edge, let room, let because):
      // It doubles each time, so these are few. Nothing is wrong with it: the layout counts as many as there may be. An output whose loop
      // begins a little later than another's is of no interest, however much waits for it.
      logger.log(
        level: room < Self.wide || readers[edge] == nil ? .info : .notice,
        "an edge of the pipeline is widened, to \(room) items: \(because)", metadata: ["edge": "\(edge)"])
    case .standstill(let edge, let because):
      let stage = readers[edge].map { stations[$0].whole } ?? stations[0].whole
      fail(
        PipelineError(
          .standstill, stage,
          "\(because), and the edge between them may not become wider than \(machine.maximumRoom) items"))
    case .unattended(let output): isUnattended(output)
    case .end(let output): end(output)
    case .finished: finish()
    }
  }

  /// Outputs go to whoever takes them, up to the failure that ends the run.
  private func deliver(_ parcels: [Parcel], to output: Int) {
    let consumer = consumers[output]
    guard !takers[output].isAtItsEnd, !isGivenUp else { return }
    for (place, parcel) in parcels.enumerated() {
      guard case .failure(let failure, .theEnd, _) = parcel.content else { continue }
      takers[output].isAtItsEnd = true
      resume(consumer.deliver(Array(parcels[..<place])), behind: takers[output].station)
      return fail(failure)
    }
    resume(consumer.deliver(parcels), behind: takers[output].station)
  }

  /// Has the consumer go on, who need not be in a hurry while the station before him has all slots busy.
  private func resume(_ waiter: PipelineConsumer.Waiter?, behind place: Int) {
    guard let waiter else { return }
    let station = stations[place].job
    guard !stations[place].isPaced, let job = station?.job, let core = station?.pool?.core else {
      return waiter.continuation.resume()
    }
    core.resume(waiter.continuation, of: job, by: waiter.due)
  }

  private func feed(_ place: Int, _ count: Int, ended: Bool) {
    let station = stations[place]
    guard let job = station.job else {
      if count > 0 { wire(place, count) }
      if ended { endGathering(place) }
      if ended { machine.ended(place) }
      return
    }
    var left = 0
    for parcel in count > 0 ? queues[inputs[place][0]].take(count) : [] {
      if station.end != nil {
        left += parcel.count
        continue
      }
      switch parcel.content {
      case .failure(_, .theEnd, _):
        station.end = parcel
        left += 1
      case .failure, .gap:
        station.holes.append((station.sources.given, parcel))
      case .values:
        job.push(parcel, at: station.sources.given)
        station.sources.give(parcel.count, parcel.sources)
      }
    }
    if ended { job.pushEnd() }
    job.flush()
    fillHoles(place, before: station.answered)
    guard left > 0 else { return }
    machine.produced(place, used: left, made: 0)
    machine.stopAsked(place)
  }

  /// Items pass a place where nothing runs.
  private func wire(_ place: Int, _ count: Int) {
    let station = stations[place]
    if let joiner = station.joiner {
      let rows = inputs[place].map { queues[$0].take(count) }
      let kinds = inputs[place].map { kind(of: $0) }
      var made = 0
      for parcel in Rows(rows, inputs: kinds, station.kind, marksGaps: station.marksGaps, joiner).parcels {
        put(parcel, place)
        made += parcel.count
      }
      machine.produced(place, used: count, made: made)
    } else if let gatherer = station.gatherer {
      for parcel in queues[inputs[place][0]].take(count) { gather(parcel, gatherer, place) }
    } else if let shares = station.shares {
      var made = 0
      for _ in 0..<count {
        for (edge, share) in zip(inputs[place], shares) {
          for parcel in queues[edge].take(share) { made += pass(parcel, place, from: edge) }
        }
      }
      machine.produced(place, used: count, made: made)
    } else {
      var made = 0
      for parcel in queues[inputs[place][0]].take(count) { made += pass(parcel, place) }
      machine.produced(place, used: count, made: made)
    }
  }

  /// As it comes; but what has failed before a tee comes by each of its branches, and is told by the first.
  private func pass(_ parcel: Parcel, _ place: Int, from edge: Int) -> Int {
    let station = stations[place]
    guard case .failure(let failure, let meaning, _) = parcel.content, meaning != .theEnd, edge != inputs[place][0],
      let stage = failure.stage, station.toldBefore.contains(stage.position)
    else { return pass(parcel, place) }
    return pass(Parcel(content: .gap, count: parcel.count, sources: parcel.sources), place)
  }

  private func kind(of edge: Int) -> any ItemKind { stations[outputs.firstIndex { $0.contains(edge) }!].kind }

  // MARK: The end

  private func finish() {
    guard !hasFinished else { return }
    hasFinished = true
    inside.gate.open()
    for task in balancing { task.cancel() }
    balancing = []
    for station in stations { station.gatherer?.alarm?.cancel() }
    if let problem, error != nil { isBeside(problem) }
    let (pools, channels, error) = (pools, channels, error ?? problem ?? poolsEnd)
    self.channels = []
    Task(executorPreference: LaneThread.ofFork) {
      for pool in pools { if error == nil { await pool.end() } else { await pool.giveUp() } }
      self.meter?.end()
      var problem = error
      // Its stages are torn down: what they have put is there.
      for channel in channels {
        do { try await channel.leave() } catch { problem = problem ?? error }
      }
      self.finished(problem)
    }
  }

  private func finished(_ error: (any Error)?) {
    let result: Result<Void, any Error> = error.map { .failure($0) } ?? .success(())
    end.set(result) {
      tell { engine in
        // They hold each other.
        for station in engine.stations { station.job?.letGo() }
        engine.pools = []
        engine.given?.core.remove(engine)
        engine.given = nil
      }
      for consumer in consumers { consumer.end(result) }
    }
  }

  /// What it is at. In the turn.
  func snapshot() -> PipelineSnapshot {
    guard let meter else { return PipelineSnapshot(stages: [], elapsed: .zero) }
    let (measured, elapsed) = meter.stages()
    let stages = measured.map { place, measured in
      var stage = measured
      let station = stations[place]
      stage.waiting = inputs[place].reduce(0) { $0 + machine.waiting(in: $1) }
      stage.underWay = max(0, machine.running(at: place))
      stage.done = station.used - station.failures
      stage.failed = station.failures
      stage.hasEnded = station.hasEnded
      return stage
    }
    return PipelineSnapshot(stages: stages, elapsed: .nanoseconds(Int64(clamping: elapsed)))
  }

  /// Throws where whoever waits for the run's end would be waiting for himself.
  func expectOutside(_ call: String) throws {
    guard inside.isHere else {
      throw WorkerPoolError(
        .foreignPool,
        "\(call) of a pipeline's run was called in a worker process, which has only a copy of it: call it where the run was begun"
      )
    }
    guard !RunScope.contains(inside) else {
      throw WorkerPoolError(
        .calledFromItem,
        "\(call) of a pipeline's run was called by a stage or a source of the same run, which would wait for itself: call it where the run was begun"
      )
    }
  }

}

extension PipelineEngine: PoolDependant {
  func poolDrains(_ error: any Error) { tell { $0.drain(with: error) } }
  func poolIsTerminated() { tell { $0.giveUpWithPool() } }
  func waitUntilOver() async { await end.wait() }
  var isInside: Bool { RunScope.contains(inside) }
}

/// Where a station's outcomes go.
final class StationOutlet: Outgoing {
  private let engine: PipelineEngine
  private let place: Int

  init(_ engine: PipelineEngine, _ place: Int) {
    self.engine = engine
    self.place = place
  }

  func connect(writer job: JobRecord, of pool: PoolCore) {}

  func accept(_ segment: Segment) {
    let place = place
    engine.post { $0.delivered(place, segment) }
  }

  func accept(_ end: JobEnd) {
    let place = place
    engine.post { $0.ended(place, end) }
  }

  func flush() { engine.pump() }
}
