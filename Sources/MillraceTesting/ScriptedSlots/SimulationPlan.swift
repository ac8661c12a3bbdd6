import Millrace

/// What a seed says about the world of a ``Simulation``: the pool, its jobs, what its workers do, what its users do.
package struct SimulationPlan {
  /// What goes wrong with workers, in percent.
  struct Faults {
    var diesIdle = 0
    var diesOnReceipt = 0
    var killedFromOutside = 0
    var diesStarting = 0
    var cannotStart = 0
    var setUpThrows = 0
    var setUpDies = 0
    var setUpStalls = 0
    /// It takes about as long as it may.
    var setUpDawdles = 0
    var tearDownDies = 0
    var tearDownStalls = 0
    /// It does not take a chunk, and nothing after it, if the chunk's job has a limit.
    var goesSilent = 0
    /// It is ended for what another slot did that shares its process.
    var endsForAnother = 0
    /// It does not end when it is told to.
    var endingStalls = 0
    /// Its start does not end.
    var startStalls = 0
    /// It is not gone when it is killed.
    var outlivesKill = 0
    /// Another was running in its process when it died, and nobody knows which of the two did it.
    var isDoubtful = 0
    /// Outputs that a dead worker had made are lost with it.
    var losesOutputs = 0
    /// What was written off speaks nevertheless.
    var speaksLate = 0
    /// Slots where set-up always fails.
    var barrenSlots: Set<Int> = []
    /// Slots where no worker can be started, or each dies on start.
    var startlessSlots: Set<Int> = []
    /// Whether they die there.
    var diesInStartless = false
  }

  enum Deed {
    case resize(Int)
    case cancel(job: Int)
    case fail(job: Int)
    case stopReading(job: Int)
    case close(worker: Int)
    case tick
    case shutDown
    case drain
    case terminate
    /// The whole program and its workers stop for so long, and go on.
    case standStill(UInt64)
  }

  struct WorkerPlan {
    var setUpTimeout: UInt64?
    var tearDownTimeout: UInt64?
    var keeps = true
  }

  var width = 1
  var limits = DispatchLimits()
  /// Whether a kill ends a worker at once, as it does one of this process, or after a while.
  var killsAtOnce = false
  /// Whether a slot has a process for each of the users' workers, as where they are forked.
  var hasProcessForEach = false
  /// Whether a slot's driver answers questions itself, ahead of what its worker has said.
  var answersAtOnce = false
  var latency: UInt64 = 0
  var workers: [WorkerPlan] = []
  var jobs: [JobPlan] = []
  var deeds: [(time: UInt64, deed: Deed)] = []
  var faults = Faults()

  package init(seed: UInt64, mask: SimulationMask = SimulationMask()) {
    var random = SimulatedRandom(seed: seed)
    width = random.one(of: [1, 2, 2, 3, 4, 6])
    limits.prefetch = random.one(of: [0, 0, 1, 2, 8])
    limits.prefetchTime = random.one(of: [0, 200_000, 50_000_000])
    killsAtOnce = random.chance(30)
    answersAtOnce = random.chance(50)
    latency = random.one(of: [0, 1_000, 100_000, 2_000_000])
    let isCalm = random.chance(15)
    let allowsHardStalls = random.chance(10)
    if !isCalm { faults = Faults(&random, width: width, hardStalls: allowsHardStalls) }
    for _ in 0..<random.within(1...2) {
      var worker = WorkerPlan()
      if random.chance(50) || (faults.setUpStalls > 0 && !allowsHardStalls) { worker.setUpTimeout = 50_000_000 }
      if random.chance(50) || (faults.tearDownStalls > 0 && !allowsHardStalls) { worker.tearDownTimeout = 50_000_000 }
      worker.keeps = random.chance(60)
      workers.append(worker)
    }
    for _ in 0..<random.one(of: [1, 1, 1, 2, 3, 4]) {
      jobs.append(JobPlan(&random, self, isCalm: isCalm, hardStalls: allowsHardStalls))
    }
    if random.chance(10) { makeQueuesUneven() }
    for _ in 0..<random.one(of: [0, 0, 0, 1, 2, 5]) {
      deeds.append((random.time(upTo: 300_000_000), Deed(&random, self)))
    }
    // Once at the most: what overruns its limit must overrun the second one too, which begins afterwards.
    if random.chance(5) {
      let time: UInt64 = random.one(of: [500_000_000, 2_000_000_000, 20_000_000_000])
      deeds.append((random.time(upTo: 300_000_000), .standStill(time)))
    }
    var later = SimulatedRandom(hash: seed, 2)
    hasProcessForEach = later.chance(30)
    if !isCalm, later.chance(15) { faults.endsForAnother = later.one(of: [3, 10, 30]) }
    if hasProcessForEach, later.chance(20) { makeRivals() }
    if !isCalm, later.chance(8) { faults.startStalls = later.one(of: [3, 10, 30]) }
    if !isCalm, later.chance(8) { faults.outlivesKill = later.one(of: [10, 50, 100]) }
    // What stalls without a limit of its own may do so for ever, but for the pool's end.
    if later.chance(40) {
      for worker in workers.indices {
        if faults.setUpStalls > 0 { workers[worker].setUpTimeout = nil }
        if faults.tearDownStalls > 0 { workers[worker].tearDownTimeout = nil }
      }
    }
    if later.chance(40) { limits.shareTime = later.one(of: [500_000, 2_000_000]) }
    limits.keptWorkers = later.one(of: [0, 1, 1, 16])
    if !isCalm, later.chance(15) { faults.isDoubtful = later.one(of: [10, 50, 100]) }
    // Where something stalls for ever, such slots would be tried for ever.
    let isStalling = faults.setUpStalls + faults.tearDownStalls + faults.goesSilent > 0
    if isStalling || allowsHardStalls { faults.diesStarting = min(faults.diesStarting, 60) }
    if !isCalm, !allowsHardStalls, !isStalling, later.chance(10) {
      for slot in 0..<width + 1 where later.chance(40) { faults.startlessSlots.insert(slot) }
      faults.diesInStartless = later.chance(40)
    }
    if later.chance(20) { makeLevels(&later, isCalm: isCalm, hardStalls: allowsHardStalls) }
    if later.chance(40) { limits.gatherTime = later.one(of: [50_000, 20_000_000]) }
    var rights = SimulatedRandom(hash: seed, 5)
    if rights.chance(40) {
      for job in jobs.indices { jobs[job].setApart(&rights) }
      // Where jobs are there at the same time, and have nobody of their own.
      if rights.chance(50) { for job in jobs.indices { jobs[job].submitAt /= 50 } }
      if jobs.count == 1, rights.chance(50) {
        var other = JobPlan(&rights, self, isCalm: isCalm, hardStalls: allowsHardStalls)
        other.setApart(&rights)
        jobs.append(other)
      }
    }
    if rights.chance(20) { for job in jobs.indices { jobs[job].remember(&rights) } }
    // Slots that speak for themselves, as machines do, and are asked more than once.
    if rights.chance(20) {
      limits.starts.attempts = rights.one(of: [1, 2, 4])
      limits.starts.isForRoom = rights.chance(30)
    }
    var leavers = SimulatedRandom(hash: seed, 6)
    if limits.prefetch == 0, !hasProcessForEach { limits.tearsDownApart = leavers.chance(60) }
    if limits.tearsDownApart || limits.levelsAreApart, leavers.chance(60) {
      for job in jobs.indices { jobs[job].closeWorkers(&leavers) }
    }
    var stops = SimulatedRandom(hash: seed, 7)
    limits.weighsSending = stops.chance(30)
    for job in jobs.indices { jobs[job].endsWithItsRun = stops.chance(15) }
    if stops.chance(20) {
      deeds.append((stops.time(upTo: 200_000_000), .stopReading(job: stops.below(jobs.count))))
    }
    apply(mask)
  }

  /// Items that take their time, and beside them in the slot, given to it later, items of another worker that have a limit.
  private mutating func makeRivals() {
    if workers.count == 1 { workers.append(workers[0]) }
    limits.prefetch = max(2, limits.prefetch)
    for job in jobs.indices {
      let isLimited = !job.isMultiple(of: 2)
      jobs[job].worker = job % 2
      jobs[job].submitAt = 0
      jobs[job].readTime = 0
      jobs[job].window = .items(100)
      jobs[job].chunking = .size(isLimited ? 1 : 7)
      jobs[job].itemTimeout = isLimited ? 50_000_000 : nil
      jobs[job].behaviours = JobPlan.Behaviours()
      if isLimited { jobs[job].behaviours.overruns = 40 } else { jobs[job].behaviours.isSlow = 100 }
    }
  }

  /// Short chunks queue up in slots, some of which may not go elsewhere, and now and then one takes its time.
  private mutating func makeQueuesUneven() {
    limits.prefetch = 8
    limits.prefetchTime = 200_000
    for job in jobs.indices {
      jobs[job].roundRobin = job.isMultiple(of: 2)
      jobs[job].chunking = .size(1)
      jobs[job].window = .items(100)
      jobs[job].itemTime = 100
      jobs[job].readTime = 0
      jobs[job].behaviours.isSlow = 10
    }
  }

  private mutating func apply(_ mask: SimulationMask) {
    for job in jobs.indices {
      if mask.droppedJobs.contains(job) { jobs[job].isDropped = true }
      if let limit = mask.items, let length = jobs[job].length { jobs[job].length = min(length, limit) }
    }
    deeds = deeds.enumerated().filter { !mask.droppedDeeds.contains($0.offset) }.map(\.element)
    if mask.withoutWorkerFaults { faults = Faults() }
    if mask.withoutItemFaults { for job in jobs.indices { jobs[job].behaviours = JobPlan.Behaviours() } }
    if mask.withoutLevels {
      for job in jobs.indices {
        jobs[job].inner = []
        jobs[job].behaviours.nests = 0
      }
    }
    if mask.withoutPrefetch { limits.prefetch = 0 }
    if mask.withoutLatency { latency = 0 }
  }
}

extension SimulationPlan.Faults {
  init(_ random: inout SimulatedRandom, width: Int, hardStalls: Bool) {
    func rarely(_ percent: Int, _ random: inout SimulatedRandom) -> Int {
      random.chance(percent) ? random.one(of: [3, 10, 30]) : 0
    }
    diesIdle = rarely(20, &random)
    diesOnReceipt = rarely(20, &random)
    killedFromOutside = rarely(20, &random)
    diesStarting = random.chance(10) ? random.one(of: [10, 60, 100]) : 0
    cannotStart = random.chance(4) ? random.one(of: [5, 100]) : 0
    setUpThrows = rarely(15, &random)
    setUpDies = rarely(15, &random)
    setUpStalls = rarely(15, &random)
    setUpDawdles = rarely(15, &random)
    tearDownDies = rarely(15, &random)
    tearDownStalls = rarely(15, &random)
    goesSilent = rarely(15, &random)
    endingStalls = rarely(10, &random)
    losesOutputs = rarely(40, &random)
    speaksLate = rarely(40, &random)
    if random.chance(15) { for slot in 0..<width + 2 where random.chance(50) { barrenSlots.insert(slot) } }
  }
}

extension SimulationPlan.Deed {
  init(_ random: inout SimulatedRandom, _ plan: SimulationPlan) {
    switch random.below(16) {
    case 0...5: self = .resize(random.within(1...6))
    case 6...8: self = .cancel(job: random.below(plan.jobs.count))
    case 9: self = .fail(job: random.below(plan.jobs.count))
    case 10: self = .close(worker: random.below(plan.workers.count))
    case 11...12: self = .tick
    case 13: self = .shutDown
    case 14: self = .drain
    default: self = .terminate
    }
  }
}

/// What to leave out of a ``Simulation``, to find the shortest that still fails.
package struct SimulationMask: Sendable, Hashable {
  package var droppedJobs: Set<Int> = []
  package var droppedDeeds: Set<Int> = []
  package var items: Int?
  package var withoutWorkerFaults = false
  package var withoutItemFaults = false
  package var withoutLevels = false
  package var withoutPrefetch = false
  package var withoutLatency = false

  package init() {}
}
