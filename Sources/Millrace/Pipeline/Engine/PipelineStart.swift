import Logging
import MillraceIPC

/// Makes a run of a pipeline: its stations, their jobs and the pools for them.
struct PipelineStart {
  let blueprint: Blueprint
  /// As it was described.
  private let described: Blueprint
  /// Whether items have meta.
  private let isTagged: Bool
  let order: MapOptions.Order
  /// Whether failed items end nothing and come out as what they are.
  let givesOutcomes: Bool
  /// The pool that stages share which have none of their own; nil: threads, one for each CPU.
  let given: WorkerPool?
  /// What comes in, an `ItemSource`, where the pipeline has an open input.
  let input: PipelineInput?
  /// Of each output who takes it.
  let consumers: [PipelineConsumer]
  /// How each stage shows how far it is.
  let watch: ProgressStyle
  /// Whether it is known where its workers' time goes.
  let isMeasured: Bool

  private let inside: RunScope
  private var main: WorkerPool?
  private var ofGroups: [Int: WorkerPool] = [:]
  private var own: [WorkerPool] = []

  init(
    _ blueprint: Blueprint, order: MapOptions.Order, givesOutcomes: Bool = false, on pool: WorkerPool?,
    input: PipelineInput?,
    consumers: [PipelineConsumer], watch: ProgressStyle = .none, isMeasured: Bool = false,
    inside: RunScope = RunScope()
  ) {
    described = blueprint
    isTagged = blueprint.carriesMeta
    self.blueprint = isTagged ? blueprint.tagged : blueprint
    self.order = order
    self.givesOutcomes = givesOutcomes
    given = pool
    self.input = input
    self.consumers = consumers
    self.watch = watch
    self.isMeasured = isMeasured || watch.isShown || blueprint.stages.contains { $0.options.balance != nil }
    self.inside = inside
  }

  /// Begins it. What goes wrong once a job has begun ends the run, and is its result.
  mutating func begin() throws -> PipelineEngine {
    try described.check()
    let logger = given?.core.logger ?? Logger(label: "millrace")
    let engine = PipelineEngine(order: order, logger: logger, inside: inside)
    let stations = Planner.stations(of: blueprint, order: order)
    let rates = Rates(blueprint)
    /// Of each station of the plan the engine's; nil: its reader reads for it.
    var places: [Int?] = []
    var jobs: [(place: Int, station: FlowStation, input: Any?)] = []
    for (number, station) in stations.enumerated() {
      let stage = blueprint.stages[station.stages[0]]
      if itemSource(of: stage) != nil, stations.isReadByItsReader(number, in: blueprint) {
        places.append(nil)
        continue
      }
      var source: Any? = itemSource(of: stage)
      var sourceStage = source == nil ? nil : station.stages[0]
      var inputs = station.inputs.compactMap { places[$0] }
      if inputs.count < station.inputs.count {
        sourceStage = stations[station.inputs[0]].stages[0]
        source = itemSource(of: blueprint.stages[stations[station.inputs[0]].stages[0]])
        inputs = []
      }
      let made = FlowStation(
        station, blueprint, job: job(station, stage), isSelfFed: source != nil, source: sourceStage,
        onFailure: onFailure(stage),
        shares: station.isOrdered ? rates.shares[station.stages[0]] : nil,
        deal: station.isOrdered ? rates.deals[station.stages[0]] : nil)
      let place = engine.add(made, from: inputs)
      if let deal = made.deal {
        func begun(by stage: Int) -> Int { places[stations.firstIndex { $0.stages[0] == stage }!]! }
        engine.collect(at: place, from: begun(by: deal.choice), by: deal.heads.map(begun))
      }
      places.append(place)
      if made.job == nil {
        // What is passed on waits in the edges.
        engine.machine.demanded(place, .max / 4)
      } else {
        jobs.append((place, made, source))
      }
    }
    for (output, consumer) in zip(blueprint.outputs, consumers) {
      let place = places[stations.firstIndex { $0.stages.last == output }!]!
      engine.addOutput(of: place, for: consumer, hasBegun: consumers.count == 1)
    }
    // Before anything has begun: what is wrong with a backend is thrown here, and what the system has against a stage.
    var pools: [WorkerPool] = []
    do {
      for (_, station, _) in jobs { pools.append(try pool(for: station.station)) }
      try described.prepare()
    } catch {
      for pool in own { pool.core.terminate() }
      throw error
    }
    for pool in own { engine.owns(pool) }
    var isRefused = false
    do { try given.map(engine.depends) } catch {
      isRefused = true
      engine.fail(error)
    }
    // Before a worker is started: one that is forked has what is there by then.
    let isElsewhere = pools.contains { !$0.kind.abilities.contains(.sharesMemory) }
    for channel in blueprint.channels {
      do { try engine.use(channel, isElsewhere: isElsewhere) } catch { engine.fail(error) }
    }
    let meter = isMeasured ? PipelineMeter() : nil
    engine.meter = meter
    for ((place, station, input), pool) in zip(jobs, pools) where !isRefused {
      var request = MapRequest(
        options: blueprint.stages[station.station.stages[0]].mapOptions,
        order: station.station.isOrdered ? .input : .completion,
        // Also where the first that fails ends the run: that is the engine's to do, which knows what is before it.
        onFailure: .skip, isPulled: true)
      request.outlet = StationOutlet(engine, place)
      request.stage = station.name
      request.endsWithItsRun = true
      let isStage = station.station.kind == .elastic || station.station.kind == .floating
      let stageMeter = isStage ? meter?.observe(pool.core) : nil
      if isStage, watch.isShown {
        var style = watch
        style.name = watch.name.isEmpty ? station.name : "\(watch.name): \(station.name)"
        style.detail = { [weak meter] in meter?.label(place) ?? "" }
        request.options.progress = style
      }
      station.job!.stages = station.parts.map(\.name)
      do {
        try station.job!.begin(request, on: pool, input: input) { count in
          engine.tell { $0.machine.demanded(place, count) }
        }
        if let job = station.job?.job, let worker = station.job?.record { inside.has(job, of: worker, on: pool.core) }
        if let stageMeter, let job = station.job?.job {
          let slots = station.station.kind == .floating ? 1 : pool.width
          stageMeter.follow(job.id)
          meter?.add(
            place, station.name, slots: slots, stageMeter, job.id,
            group: hasFixedWidth(station, pool) ? ObjectIdentifier(pool) : nil)
        }
      } catch {
        engine.fail(error)
        break
      }
    }
    if let meter, !isRefused { balance(zip(jobs.map(\.place), zip(jobs.map(\.station), pools)), engine, meter) }
    engine.open()
    return engine
  }

  /// Whether it has slots of its own, so many as somebody wrote.
  private func hasFixedWidth(_ station: FlowStation, _ pool: WorkerPool) -> Bool {
    station.station.kind == .elastic && station.station.width != nil && pool.core.driver == nil
      && blueprint.stages[station.station.stages[0]].options.balance == nil
  }

  /// Those of the groups with a width of their own that are to share their slots do so.
  private func balance(
    _ jobs: some Sequence<(Int, (FlowStation, WorkerPool))>, _ engine: PipelineEngine, _ meter: PipelineMeter
  ) {
    var balances: [SlotBalance] = []
    var groups: [ObjectIdentifier: [BalancedGroups.Group]] = [:]
    for (place, (station, pool)) in jobs {
      guard station.station.kind == .elastic, station.station.width != nil, pool.core.driver == nil,
        let balance = blueprint.stages[station.station.stages[0]].options.balance
      else { continue }
      if !balances.contains(where: { $0 === balance }) { balances.append(balance) }
      var known = groups[ObjectIdentifier(balance)] ?? []
      if let own = known.firstIndex(where: { $0.pool === pool }) {
        known[own].places.append(place)
      } else {
        known.append(BalancedGroups.Group(pool: pool, places: [place]))
      }
      groups[ObjectIdentifier(balance)] = known
    }
    for balance in balances {
      let groups = BalancedGroups(groups[ObjectIdentifier(balance)]!, limit: balance.cpus, meter: meter)
      engine.keepBalanced(groups, every: balance.interval)
    }
  }

  // MARK: What runs at a station

  private func job(_ station: Station, _ stage: Blueprint.Stage) -> AnyStationJob? {
    switch stage.work {
    case .inlet, .source: StationJobs.forward(stage.kind)
    case .choice, .gather, .merge, .join: nil
    case .worker, .elastic, .stage:
      StationJobs.make(
        station.stages.map { blueprint.stages[$0] }, of: blueprint,
        isHere: kind(stage.options.backend).abilities.contains(.sharesMemory))
    }
  }

  /// The items of a source, or those that come in; nil: it has none of its own.
  private func itemSource(of stage: Blueprint.Stage) -> Any? {
    func make<S: Source>(_ source: S) -> Any { source.itemSource(in: inside) }
    return switch stage.work {
    case .inlet: isTagged ? input?.tagged() : input?.plain()
    case .source(let source): make(source)
    case .worker, .elastic, .stage, .choice, .gather, .merge, .join: nil
    }
  }

  /// What it means if an item fails there.
  private func onFailure(_ stage: Blueprint.Stage) -> FailureMeaning {
    if givesOutcomes { return .told }
    return switch stage.options.onFailure {
    case nil, .failFast: .theEnd
    case .skip: .leftOut
    case .collect: .told
    }
  }

  // MARK: Where it runs

  private mutating func pool(for station: Station) throws -> WorkerPool {
    let stage = blueprint.stages[station.stages[0]]
    let backend = stage.options.backend
    switch (station.kind, stage.work) {
    case (_, .inlet), (_, .source):
      if let given, given.core.driver != nil { return given }
      return try make(.threads(1))
    case (.floating, _):
      // One slot, so one instance, in order. Where there is one slot anyway, it is that.
      if backend == nil, let given, given.core.driver != nil { return given }
      // Where a slot is no place of a worker, but a chunk that is out, it is a process of this program's.
      let one = kind(backend)
      return try make(one.abilities.contains(.sharesWorkers) ? .processes(1) : WorkerPool.Backend(one, width: 1))
    default:
      if let width = station.width, let group = stage.group {
        if backend == nil, let given, given.core.driver != nil { return given }
        return try shared(WorkerPool.Backend(kind(backend), width: width), by: group)
      }
      if let backend, let group = stage.group { return try shared(backend, by: group) }
      if let given { return given }
      if let main { return main }
      main = try make(.threads())
      return main!
    }
  }

  private func kind(_ backend: WorkerPool.Backend?) -> any BackendKind {
    backend?.kind ?? given?.kind ?? WorkerPool.Backend.threads().kind
  }

  private mutating func shared(_ backend: WorkerPool.Backend, by group: Int) throws -> WorkerPool {
    if let pool = ofGroups[group] { return pool }
    let pool = try make(backend)
    ofGroups[group] = pool
    return pool
  }

  private mutating func make(_ backend: WorkerPool.Backend) throws -> WorkerPool {
    let pool = try given.map { try WorkerPool(backend, logger: $0.core.logger) } ?? WorkerPool(backend)
    own.append(pool)
    inside.owns(pool.core)
    given?.company.meets(pool)
    return pool
  }
}

extension Source {
  /// What it puts, as the input of a job of the run's.
  func itemSource(in run: RunScope) -> ItemSource<Output> {
    func make<S: SequenceSource>(_ source: S) -> ItemSource<Output> { source.input.plain() as! ItemSource<Output> }
    if let source = self as? any SequenceSource { return make(source) }
    return ItemSource(ScopedSource(source: self, scope: run))
  }
}

/// A source that is a sequence, and is read as one.
protocol SequenceSource { var input: PipelineInput { get } }
