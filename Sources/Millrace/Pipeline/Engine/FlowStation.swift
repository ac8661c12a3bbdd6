/// A station as the engine has it: what the machine counts, as values.
final class FlowStation: @unchecked Sendable {
  // Sound: belongs to the engine's turn.

  /// What it is called, and which stages of the layout run in it.
  let parts: [ItemFailure.Stage]
  let station: Station
  /// What runs there; nil: items are only passed on.
  let job: AnyStationJob?
  /// What items are made of rows, if it is a join.
  let joiner: (@Sendable ([any Sendable]) -> any Sendable)?
  /// What collects its items, if that is what is done here.
  let gatherer: AnyGatherer?
  let kind: any ItemKind
  /// Each of its items goes to one of those behind it.
  let isChoice: Bool
  /// How many items of each input belong together.
  let shares: [Int]?
  /// Whose branches it puts together again, in the order of the items.
  let deal: Rates.Deal?
  /// Whether it says of an item that it leaves out that it does, for those branches of it that come together again.
  let marksGaps: Bool
  /// Of a tee, the stages before it: of an item that has failed there the first of its branches tells.
  let toldBefore: Set<Int>
  /// Whether each of its items goes on by itself, when it is done.
  let isPaced: Bool
  /// Whether what it makes is of all items since what it has made before.
  private let gathers: Bool
  /// The source of the first of these.
  private var firstGathered: Int?
  /// It reads the pipeline's source, or its input, itself.
  let isSelfFed: Bool
  /// What it reads, if it reads itself and that is a stage.
  let source: ItemFailure.Stage?
  /// What a failed item means.
  let onFailure: FailureMeaning

  var sources = SourceLedger()
  /// Items that had failed before they came here, each before which of those that run.
  var holes: [(place: Int, parcel: Parcel)] = []
  /// Behind how many of the items that run the outcomes are here, where they come in order.
  var answered = 0
  /// What it has made and not sent into its edges, if each goes into one of them.
  var undecided = ParcelQueue()
  /// Outcomes that its pool still counts: of how many items, and how many were made of them.
  private var ledger = FIFO<(used: Int, made: Int, isEach: Bool)>()
  private(set) var made = 0
  /// How many items it has answered.
  private(set) var used = 0
  private var settled = 0
  private(set) var failures = 0
  /// An item has failed here that ends the run: what is behind it does not count.
  var hasFailed = false
  /// One that has failed before it came here, and ends the run: it goes on behind all that comes of those that were fed before it.
  var end: Parcel?
  /// It could not go on, or be torn down.
  var isBroken = false
  /// Its stage wants no more: what has failed behind that is not for whoever reads from it.
  var hasStopped = false
  var hasEnded = false
  /// What it reads itself is read no further.
  var readsNoFurther = false

  init(
    _ station: Station, _ blueprint: Blueprint, job: AnyStationJob?, isSelfFed: Bool, source: Int?,
    onFailure: FailureMeaning, shares: [Int]?, deal: Rates.Deal?
  ) {
    self.station = station
    self.job = job
    self.isSelfFed = isSelfFed
    self.source = source.map { ItemFailure.Stage(name: blueprint.stages[$0].name, position: $0) }
    self.onFailure = onFailure
    self.shares = shares
    self.deal = deal
    parts = station.stages.map { ItemFailure.Stage(name: blueprint.stages[$0].name, position: $0) }
    marksGaps = station.marksGaps
    let last = blueprint.stages[station.stages[0]]
    toldBefore = last.isTee ? blueprint.origins(of: last.inputs[0]) : []
    isPaced = last.isPaced
    gathers = blueprint.stages[station.stages[0]].gathers
    kind = blueprint.stages[station.stages.last!].kind
    isChoice = if case .choice = blueprint.stages[station.stages[0]].work { true } else { false }
    gatherer =
      if case .gather(let gathering) = blueprint.stages[station.stages[0]].work { gathering.makeGatherer() } else {
        nil
      }
    joiner = if case .join(let joiner) = blueprint.stages[station.stages[0]].work { joiner } else { nil }
  }

  var isOrdered: Bool { station.isOrdered }
  var name: String { parts.map(\.name).joined(separator: " → ") }
  /// All of it, where it is not known which of its stages something is about.
  var whole: ItemFailure.Stage { ItemFailure.Stage(name: name, position: parts[0].position) }

  /// The sources of what was made of the items at these places, of so many.
  func origins(of places: [Int], _ sources: Sources, _ count: Int = 0) -> [Int] {
    guard gathers else { return places.map { sources[$0] } }
    var (origins, next): ([Int], Int) = ([], 0)
    for place in places {
      // A batch has the name of its first item.
      origins.append(firstGathered ?? sources[min(next, place)])
      (firstGathered, next) = (nil, place + 1)
    }
    if firstGathered == nil, next < count { firstGathered = sources[next] }
    return origins
  }

  /// The source of what its tear-down puts.
  func originOfRest(_ last: Int) -> Int { firstGathered ?? last }

  /// It has made so many items of so many, in order.
  func note(used: Int, made: Int, isEach: Bool) {
    self.made += made
    self.used += used
    if used > 0 || made > 0 { ledger.append((used, made, isEach)) }
  }

  /// Of how many items all that was made has left, but for so many items, since this was asked last.
  func settle(held: Int) -> Int {
    var used = 0
    while let next = ledger.first {
      let left = made - held - settled
      if next.made <= left {
        used += next.used
        settled += next.made
        _ = ledger.popFirst()
        continue
      }
      guard next.isEach, left > 0 else { break }
      _ = ledger.popFirst()
      ledger.prepend((next.used - left, next.made - left, true))
      used += left
      settled += left
    }
    return used
  }

  /// The failure as the pipeline tells it: the source's item, and the stage.
  func failure(_ failure: ItemFailure) -> ItemFailure {
    failures += 1
    var told = failure
    told.stage = whole
    told.input = nil
    told.index = sources.source(of: failure.index) ?? failure.index
    let part = Int(truncatingIfNeeded: failure.cause.part) - 1
    if parts.indices.contains(part) { told.stage = parts[part] }
    if parts.count == 1 { told.stage = parts[0] }
    if case .threw(let fault as StageFault) = failure.cause {
      told.cause = .threw(fault.error)
      if parts.indices.contains(fault.part) { told.stage = parts[fault.part] }
    }
    return told
  }

  /// What a put into a side channel has thrown, if that is what the item failed with: it is not the item's.
  static func channelError(of failure: ItemFailure) -> PipelineError? {
    guard case .threw(let error) = failure.cause else { return nil }
    return channelError(error)
  }

  private static func channelError(_ error: any Error) -> PipelineError? {
    let error = (error as? WorkerPoolError).flatMap { $0.kind == .setUpFailed ? $0.underlying : nil } ?? error
    let known = (error as? StageFault)?.error ?? error
    return (known as? PipelineError).flatMap { $0.isOfChannel ? $0 : nil }
  }

  /// What ended the job, or went wrong in its tear-down, as the pipeline tells it.
  func error(_ kind: PipelineError.Kind, _ error: any Error) -> any Error {
    if let error = Self.channelError(error) { return error }
    switch error {
    case let fault as StageFault:
      let stage = parts.indices.contains(fault.part) ? parts[fault.part] : whole
      return PipelineError(kind, stage, kind.words, underlying: fault.error)
    case let pool as WorkerPoolError where pool.kind == .setUpFailed:
      var stage = whole
      var inner = pool.underlying
      if let fault = inner as? StageFault {
        if parts.indices.contains(fault.part) { stage = parts[fault.part] }
        inner = fault.error
      }
      return PipelineError(.setUpFailed, stage, PipelineError.Kind.setUpFailed.words, underlying: inner ?? pool)
    // Of its workers, not of what it reads.
    case is WorkerPoolError where kind == .sourceFailed:
      return PipelineError(.stationFailed, whole, PipelineError.Kind.stationFailed.words, underlying: error)
    default:
      let stage = kind == .sourceFailed ? source ?? whole : whole
      return PipelineError(kind, stage, kind.words, underlying: error)
    }
  }
}

extension PipelineError.Kind {
  var words: String {
    switch self {
    case .sourceFailed: "the source failed"
    case .setUpFailed: "it could not be set up"
    case .tearDownFailed: "its tear-down failed"
    case .stationFailed: "it cannot go on"
    case .sideChannelUnused: "no run uses it"
    case .sideChannelFailed: "its pipeline failed"
    case .standstill: "it stands still"
    }
  }
}
