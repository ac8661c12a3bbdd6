import MillraceIPC

/// What runs at a station, whatever its types: the job, the edge through which it is fed, and what its outcomes are.
class AnyStationJob: @unchecked Sendable {
  // Sound: belongs to the engine's turn.
  var job: JobRecord?
  var record: WorkerRecord?
  var pool: WorkerPool?
  /// What its stages are called.
  var stages: [String] = []
  /// What runs it where nobody else does; told when the job is cancelled.
  var drive: Task<Void, Never>?

  /// Begins it. `input`: what it reads itself, an `ItemSource`; nil: it is fed.
  func begin(_ request: MapRequest, on pool: WorkerPool, input: Any?, onDemand: @escaping @Sendable (Int) -> Void)
    throws
  {}
  func push(_ parcel: Parcel, at index: Int) {}
  func pushEnd() {}
  func flush() {}
  /// It is over: what it holds may hold the run.
  func letGo() {
    job = nil
    pool = nil
    drive = nil
  }
  /// The values that outputs are, each with where in the range it comes from; nil: they are values themselves.
  func values(of outputs: any AnyObject & Sendable, _ range: Range<Int>) -> Outputs { preconditionFailure("abstract") }
  /// What the tear-downs of its workers have put, and what went wrong there.
  func exits() -> (puts: OutputStore?, count: Int, problem: (any Error)?) { (nil, 0, nil) }

  struct Outputs {
    let items: OutputStore
    let offset: Int
    let count: Int
    /// The place in the range that each comes from; nil: one of each.
    var places: [Int]?
    var stops = false
  }
}

/// A worker whose outputs are items, or which puts them.
final class StationJob<W: Worker, Item: Sendable>: AnyStationJob, @unchecked Sendable {
  private let worker: W
  private let form: Form
  private let exit: (W.Exit) -> Puts<Item>?
  private var edge: Edge<W.Input>?

  /// What its outputs are.
  enum Form {
    /// One item each.
    case items
    case puts((W.Output) -> Puts<Item>)
    case portions
  }

  init(_ worker: W, _ form: Form = .items, exit: @escaping (W.Exit) -> Puts<Item>? = { _ in nil }) {
    self.worker = worker
    self.form = form
    self.exit = exit
  }

  private var isItems: Bool { if case .items = form { true } else { false } }

  override func begin(
    _ request: MapRequest, on pool: WorkerPool, input: Any?, onDemand: @escaping @Sendable (Int) -> Void
  ) throws {
    let record = pool.core.record(of: worker, keeps: false, stages: stages)
    let items: ItemSource<W.Input>
    if let input {
      items = input as! ItemSource<W.Input>
    } else {
      let edge = Edge<W.Input>(onDemand: onDemand)
      self.edge = edge
      items = ItemSource(edge)
    }
    let job = try pool.start(items, worker, request, as: record)
    (self.job, self.record, self.pool) = (job, record, pool)
    // It has no consumer who could do the work.
    if pool.core.driver != nil { drive = Task(executorPreference: LaneThread.ofFork) { await pool.core.drive(job) } }
  }

  override func push(_ parcel: Parcel, at index: Int) {
    guard case .values(let items, let offset) = parcel.content else { preconditionFailure("failures are not run") }
    let first = items.base + offset
    edge?.accept(
      Segment(range: first..<first + parcel.count, slot: 0, attempt: 1, content: .outputs(items), cell: items))
  }

  override func letGo() {
    super.letGo()
    edge = nil
  }

  override func pushEnd() { edge?.accept(.complete) }
  override func flush() { edge?.flush() }

  override func values(of outputs: any AnyObject & Sendable, _ range: Range<Int>) -> Outputs {
    switch form {
    case .items:
      let buffer = unsafeDowncast(outputs, to: OutputBuffer<W.Output>.self)
      return Outputs(items: buffer, offset: range.lowerBound - buffer.base, count: range.count)
    case .puts(let puts):
      let buffer = unsafeDowncast(outputs, to: OutputBuffer<W.Output>.self)
      let start = range.lowerBound - buffer.base
      var (items, places, stops): ([Item], [Int], Bool) = ([], [], false)
      for place in 0..<range.count {
        let made = puts(buffer[offset: start + place])
        made.forEach {
          items.append($0)
          places.append(place)
        }
        if made.stops { stops = true }
      }
      return Outputs(items: OutputBuffer(items), offset: 0, count: items.count, places: places, stops: stops)
    case .portions:
      let buffer = unsafeDowncast(outputs, to: OutputBuffer<Portion>.self)
      return withExtendedLifetime(buffer) {
        Self.gathered(buffer.storage + (range.lowerBound - buffer.base), range.count)
      }
    }
  }

  /// What portions are, together: as it lies, or where it lies in several places, moved together.
  private static func gathered(_ portions: UnsafePointer<Portion>, _ count: Int) -> Outputs {
    var (runs, places, total): ([Portion], [Int], Int) = ([], [], 0)
    places.reserveCapacity(count)
    for place in 0..<count {
      let portion = portions[place]
      guard portion.count > 0 else { continue }
      for _ in 0..<portion.count { places.append(place) }
      total += portion.count
      if let last = runs.last, last.items === portion.items, last.start + last.count == portion.start {
        runs[runs.count - 1].count += portion.count
      } else {
        runs.append(portion)
      }
    }
    if runs.count == 1, let items = runs[0].items {
      return Outputs(items: items, offset: runs[0].start, count: total, places: places)
    }
    let all = OutputBuffer<Item>(base: 0, capacity: total)
    var next = 0
    for run in runs {
      let items = unsafeDowncast(run.items!, to: OutputBuffer<Item>.self)
      withExtendedLifetime(items) { (all.storage + next).initialize(from: items.storage + run.start, count: run.count) }
      next += run.count
    }
    all.settle(0..<total)
    return Outputs(items: all, offset: 0, count: total, places: places)
  }

  override func exits() -> (puts: OutputStore?, count: Int, problem: (any Error)?) {
    var (items, problem): ([Item], (any Error)?) = ([], nil)
    for (_, result) in record?.takeExits() ?? [] {
      switch result {
      case .success(let value): exit(value as! W.Exit)?.forEach { items.append($0) }
      case .failure(let error): problem = problem ?? error
      }
    }
    // What a stage would have put is missing; a worker that did nothing wrong is only gone, as the others of its process are.
    if let loss = record?.takeLoss(hasMore: !isItems) { problem = problem ?? loss }
    return (items.isEmpty ? nil : OutputBuffer(items), items.count, problem)
  }
}

extension OutputBuffer {
  convenience init(_ items: [Output]) {
    self.init(base: 0, capacity: items.count)
    for (offset, item) in items.enumerated() { (storage + offset).initialize(to: item) }
    settle(0..<items.count)
  }
}

/// The job for a station's stages.
enum StationJobs {
  /// - Parameter isHere: its workers live and die with the program.
  static func make(_ stages: [Blueprint.Stage], of blueprint: Blueprint, isHere: Bool) -> AnyStationJob {
    let first = stages[0]
    if stages.count == 1 {
      switch first.work {
      // One on items with meta is told to other processes as a part is.
      case .worker(let worker) where !(worker is any AnyTaggedWorker): return plain(worker)
      case .stage(let stage): return staged(stage, first.name)
      default: break
      }
    }
    let parts = stages.map(part)
    let puts = stages.contains { !$0.makesOneOfOne }
    let (input, output) = (blueprint.stages[first.inputs[0]].kind, stages.last!.kind)
    return fused(input, output, parts, puts: puts, isHere: isHere)
  }

  /// The job of a source of which several read.
  static func forward(_ kind: any ItemKind) -> AnyStationJob {
    func make<K: ItemKind>(_ kind: K) -> AnyStationJob {
      StationJob<Forward<K.Item>, K.Item>(Forward())
    }
    return make(kind)
  }

  private static func plain<W: Worker>(_ worker: W) -> AnyStationJob { StationJob<W, W.Output>(worker) }

  private static func staged<S: Stage>(_ stage: S, _ name: String) -> AnyStationJob {
    StationJob<StageWorker<S>, S.Output>(StageWorker(stage, name: name), .puts { $0 }, exit: { $0 })
  }

  private static func part(_ stage: Blueprint.Stage) -> StagePart {
    func elastic<S: ElasticStage>(_ stage: S) -> StagePart { ElasticPart(stage) }
    func worker<W: Worker>(_ worker: W) -> StagePart { WorkerPart(worker) }
    switch stage.work {
    case .worker(let each): return worker(each)
    case .elastic(let each): return elastic(each)
    default: preconditionFailure("it is no part of a fused station")
    }
  }

  private static func fused<I: ItemKind, O: ItemKind>(
    _ input: I, _ output: O, _ parts: [StagePart], puts: Bool, isHere: Bool
  ) -> AnyStationJob {
    let stages = Stages<I.Item, O.Item>(parts: parts)
    if puts, isHere {
      return StationJob<FusedPortions<I.Item, O.Item>, O.Item>(FusedPortions(stages: stages), .portions)
    }
    if puts { return StationJob<FusedPuts<I.Item, O.Item>, O.Item>(FusedPuts(stages: stages), .puts { $0 }) }
    return StationJob<Fused<I.Item, O.Item>, O.Item>(Fused(stages: stages))
  }
}
