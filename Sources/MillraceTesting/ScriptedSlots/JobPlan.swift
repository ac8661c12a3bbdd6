import Millrace

/// One job of a ``SimulationPlan``: its options, its input, its consumer, and what its items do to their workers.
struct JobPlan {
  enum Behaviour {
    case works, isSlow, throwsError, traps, exits, overruns, stalls
    /// Takes about as long as it may.
    case dawdles
    /// Makes maps of its own on the same pool, and waits for them.
    case nests
  }

  /// How many items in a hundred do what.
  struct Behaviours {
    var isSlow = 0
    var throwsError = 0
    var traps = 0
    var exits = 0
    var overruns = 0
    var stalls = 0
    var dawdles = 0
    var nests = 0
  }

  var isDropped = false
  var worker = 0
  var submitAt: UInt64 = 0
  var salt: UInt64 = 0

  var ordered = true
  var chunking = MapOptions.Chunking.automatic
  var window = JobSpec.Window.chunks(perWorker: 2)
  var failFast = false
  var maximumFailures: Int?
  var retries = 0
  var backoff = MapOptions.Backoff.none
  var crashLimit = 3
  var itemTimeout: UInt64?
  var totalTimeout: UInt64?
  var lifespan = JobSpec.Lifespan()
  var roundRobin = false
  var maximumSlots: Int?
  var urgency = 0
  var eagerSetUp = true
  var isPulled = false
  var readsAtOnce = false
  var ahead: Int?
  /// Whether it belongs to a run that ends its input when the pool does.
  var endsWithItsRun = false
  var neverRetried = 0
  /// How many items in a hundred have their outcomes when they come.
  var known = 0
  var behaviours = Behaviours()

  /// nil: endless.
  var length: Int?
  var declared: Int?
  var inputFailsAt: Int?
  var inputStallsAt: Int?
  var readTime: UInt64 = 0
  var itemTime: UInt64 = 0
  var consumeTime: UInt64 = 0
  /// After so many items the consumer has enough.
  var cancelsAfter: Int?
  /// After so many items the consumer takes no more, and does not say so.
  var consumerStallsAfter: Int?
  var isCooperative = true

  /// The maps that its items make.
  var inner: [JobPlan] = []
  /// How many maps there are around it, or wait for it.
  var level = 0
  /// How many in a hundred of its items that make maps wait for a job too that was made outside of them.
  var waitsOutside = 0
  /// Whether an item fails if a map of its own does.
  var minds = false
  /// Whether the item that makes it does not wait for it.
  var isLoose = false
  /// Whether it has a worker of its own, for the end of which its item waits too.
  var closesItsWorker = false

  init(_ random: inout SimulatedRandom, _ plan: SimulationPlan, isCalm: Bool, hardStalls: Bool) {
    worker = random.below(plan.workers.count)
    submitAt = random.chance(60) ? 0 : random.time(upTo: 100_000_000)
    salt = random.next()
    ordered = random.chance(60)
    length = random.one(of: [0, 1, 2, 5, 12, 12, 30, 30, 60, nil])
    if let length, random.chance(40) { declared = max(0, length + random.one(of: [0, 0, -3, 4])) }
    let size = random.one(of: [1, 2, 3, 7])
    chunking = random.one(of: [.automatic, .size(size), .size(size), .size(2.5), .count(size), .perWorker(2)])
    if chunking.needsCount ? declared == nil : length == nil { chunking = .size(size) }
    window = random.one(
      of: [
        .chunks(perWorker: 2), .chunks(perWorker: 1), .chunks(perWorker: 0.5), .items(random.within(1...12)),
        .items(100),
      ])
    if random.chance(10) { failFast = true } else if random.chance(10) { maximumFailures = random.below(4) }
    if random.chance(50) { retries = random.within(1...4) }
    backoff = random.one(of: [.none, .none, .constant(.milliseconds(5)), .exponential(.milliseconds(1))])
    crashLimit = random.within(1...4)
    if random.chance(50) { itemTimeout = 50_000_000 }
    if random.chance(15) { lifespan.items = random.within(1...8) }
    if random.chance(10) { lifespan.age = 10_000_000 }
    if random.chance(10) { lifespan.memory = 1_000 }
    roundRobin = random.chance(20)
    eagerSetUp = random.chance(60)
    // Who collects all outcomes never stops an endless input.
    isPulled = random.chance(40) || length == nil
    readsAtOnce = random.chance(30)
    neverRetried = random.chance(20) ? 40 : 0
    readTime = random.one(of: [0, 10_000, 5_000_000])
    itemTime = random.one(of: [100, 100_000, 15_000_000])
    consumeTime = random.one(of: [0, 100_000, 20_000_000])
    isCooperative = random.chance(60)
    if length == nil || random.chance(10) { cancelsAfter = random.below(40) }
    if random.chance(10) { inputFailsAt = random.below(20) }
    if random.chance(6) { inputStallsAt = random.below(20) }
    if isPulled, random.chance(10) { consumerStallsAfter = random.below(10) }
    if random.chance(10) { totalTimeout = random.one(of: [1_000_000, 50_000_000, 400_000_000]) }
    if isPulled, !readsAtOnce, chunking == .automatic { ahead = [1, 2, 8][Int(salt % 3)] }
    if !isCalm {
      func rate(_ percent: Int, _ random: inout SimulatedRandom) -> Int {
        random.chance(percent) ? random.one(of: [2, 10, 40]) : 0
      }
      behaviours.isSlow = rate(30, &random)
      behaviours.throwsError = rate(40, &random)
      behaviours.traps = rate(40, &random)
      behaviours.exits = rate(15, &random)
      if itemTimeout != nil || hardStalls {
        behaviours.overruns = rate(30, &random)
        behaviours.stalls = rate(30, &random)
        behaviours.dawdles = rate(30, &random)
      }
    }
  }

  /// Some of its jobs, and of the maps that its items make, may be served by a few slots only, and some are more urgent than others.
  mutating func setApart(_ random: inout SimulatedRandom) {
    urgency = random.one(of: [0, 0, 1, 2])
    if random.chance(40) {
      maximumSlots = random.within(1...3)
      roundRobin = false
    }
    for job in inner.indices { inner[job].setApart(&random) }
  }

  mutating func closeWorkers(_ random: inout SimulatedRandom) {
    closesItsWorker = level > 0 && random.chance(50)
    for job in inner.indices { inner[job].closeWorkers(&random) }
  }

  func spec(_ key: WorkerKey, _ worker: SimulationPlan.WorkerPlan) -> JobSpec {
    var spec = JobSpec(worker: key)
    spec.ordered = ordered
    spec.chunking = ChunkSizer(chunking)
    spec.total = declared
    spec.window = window
    spec.failFast = failFast
    spec.maximumFailures = maximumFailures
    spec.retries = retries
    spec.backoff = backoff
    spec.crashLimit = crashLimit
    spec.itemTimeout = itemTimeout
    spec.totalTimeout = totalTimeout
    spec.setUpTimeout = worker.setUpTimeout
    spec.tearDownTimeout = worker.tearDownTimeout
    spec.lifespan = lifespan
    spec.roundRobin = roundRobin
    spec.maximumSlots = maximumSlots
    spec.urgency = urgency
    spec.eagerSetUp = eagerSetUp
    spec.keepsWorkers = worker.keeps
    spec.seed = salt
    spec.isPulled = isPulled
    spec.endsWithItsRun = endsWithItsRun
    spec.readsAtOnce = readsAtOnce
    spec.ahead = ahead
    spec.level = level
    return spec
  }

  /// How many of the items that are asked for may come now; the others have to be asked for again.
  func coming(of demand: Int, at position: Int) -> Int {
    var random = SimulatedRandom(hash: salt, UInt64(position), 3)
    return readsAtOnce && demand > 1 && random.chance(20) ? random.within(1...demand - 1) : demand
  }

  /// How many of the items that are on their way come next, and at once.
  func lot(of rest: Int, at position: Int) -> Int {
    var random = SimulatedRandom(hash: salt, UInt64(position), 4)
    return readsAtOnce || random.chance(50) ? coming(of: rest, at: position) : random.within(1...rest)
  }

  /// Whether the item has an outcome when it comes, and if so, whether it is a failure.
  func known(_ index: Int) -> Ledger.Item.Known? {
    guard known > 0 else { return nil }
    var random = SimulatedRandom(hash: salt, UInt64(index), 5)
    guard random.chance(known) else { return nil }
    return random.chance(15) ? .failure : .output
  }

  /// Of some of its items, and those of the maps that they make, is known what becomes of them.
  mutating func remember(_ random: inout SimulatedRandom) {
    known = random.one(of: [0, 10, 50, 100])
    for job in inner.indices { inner[job].remember(&random) }
  }

  // MARK: What an item does, the same each time that it is asked

  func behaviour(_ index: Int, attempt: Int) -> Behaviour {
    // Some items are poison: they do the same in each attempt.
    var luck = SimulatedRandom(hash: salt, UInt64(index))
    let isPoison = luck.chance(30)
    var random = SimulatedRandom(hash: salt, UInt64(index), isPoison ? 0 : UInt64(attempt))
    var draw = random.below(100)
    let rates: [(Int, Behaviour)] = [
      (behaviours.isSlow, .isSlow), (behaviours.throwsError, .throwsError), (behaviours.traps, .traps),
      (behaviours.exits, .exits), (behaviours.overruns, .overruns), (behaviours.stalls, .stalls),
      (behaviours.dawdles, .dawdles), (behaviours.nests, .nests),
    ]
    for (rate, behaviour) in rates {
      if draw < rate { return behaviour }
      draw -= rate
    }
    return .works
  }

  func time(of index: Int, attempt: Int) -> UInt64 {
    var random = SimulatedRandom(hash: salt, UInt64(index), UInt64(attempt), 1)
    switch behaviour(index, attempt: attempt) {
    case .isSlow: return 20_000_000 + random.next() % 20_000_000
    case .overruns: return 150_000_000
    case .dawdles: return 45_000_000 + random.next() % 20_000_000
    default: return random.next() % (itemTime + 1)
    }
  }

  func isRetryable(_ index: Int, attempt: Int) -> Bool {
    var random = SimulatedRandom(hash: salt, UInt64(index), UInt64(attempt), 2)
    return !random.chance(neverRetried)
  }
}
