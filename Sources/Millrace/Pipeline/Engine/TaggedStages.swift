import MillraceIPC

/// What stages do with meta, whatever they do with items.
struct Tagging: Sendable {
  /// The stage's name.
  let stage: String
  let isTimed: Bool

  /// For another process.
  var bytes: [UInt8] { [isTimed ? 1 : 0] + Array(stage.utf8) }

  init(stage: String, isTimed: Bool) {
    self.stage = stage
    self.isTimed = isTimed
  }

  init(bytes: [UInt8]) {
    isTimed = bytes.first == 1
    stage = String(decoding: bytes.dropFirst(), as: UTF8.self)
  }

  func begin() -> UInt64 { isTimed ? _monotonicNow() : 0 }

  func note(_ meta: inout Meta, since begin: UInt64) {
    if isTimed { meta.note(stage, .nanoseconds(Int64(_monotonicNow() &- begin))) }
  }

  /// Where a stage puts what it makes of an item with this meta.
  func outlet<Item>(_ meta: Meta, _ out: Outlet<Tagged<Item>>) -> Outlet<Item> {
    let begin = begin()
    return Outlet(meta: meta) { item, meta in
      var meta = meta
      note(&meta, since: begin)
      try await out.put(Tagged(item: item, meta: meta))
    } stop: {
      out.stop()
    }
  }
}

/// A worker on items with meta: what it makes has the item's.
package struct TaggedWorker<W: Worker>: Worker {
  let worker: W
  let tagging: Tagging

  package func setUp(_ context: WorkerContext) async throws -> W.State { try await worker.setUp(context) }

  package func process(_ item: Tagged<W.Input>, state: inout W.State) async throws -> Tagged<W.Output> {
    var meta = item.meta
    let begin = tagging.begin()
    let output = try await Meta.$here.withValue(meta) { try await worker.process(item.item, state: &state) }
    tagging.note(&meta, since: begin)
    return Tagged(item: output, meta: meta)
  }

  package func tearDown(_ state: W.State) async throws -> W.Exit { try await worker.tearDown(state) }
}

/// A worker on items with meta, whatever it is.
protocol AnyTaggedWorker {
  var needsFork: Bool { get }
  func reference() throws -> [[UInt8]]
}

extension TaggedWorker: AnyTaggedWorker {
  private var part: WorkerPart<W> { WorkerPart(worker) }
  var needsFork: Bool { part.needsFork }
  func reference() throws -> [[UInt8]] { try part.reference() + [tagging.bytes] }
}

extension TaggedWorker: WrappingWorker {
  static var wrapped: Any.Type { W.self }
}

extension TaggedWorker: ForkedOnly where W: ForkedOnly {}

/// A filter or a flat map on items with meta.
struct TaggedElastic<S: ElasticStage>: ElasticStage {
  let stage: S
  let tagging: Tagging

  func process(_ item: Tagged<S.Input>, state: inout Void, _ out: Outlet<Tagged<S.Output>>) async throws {
    try await Meta.$here.withValue(item.meta) {
      var state: Void = ()
      try await stage.process(item.item, state: &state, tagging.outlet(item.meta, out))
    }
  }

  func run(_ run: inout _PutsRun<Input, Output>) async -> _RunEnd {
    let box = PutsBox<Output>()
    let outlet = box.outlet
    while run._begin() {
      var state: Void = ()
      do { try await process(run._item, state: &state, outlet) } catch { return .threw(error) }
      box.take().forEach { run._put($0) }
      run._advance()
    }
    return .finished
  }
}

extension TaggedElastic: ManyResults where S: ManyResults {}

/// A stage on items with meta: what it puts has that of the item at hand, or what it says.
struct TaggedStage<S: Stage>: Stage {
  let stage: S
  let tagging: Tagging

  func setUp(_ context: StageContext, _ out: Outlet<Tagged<S.Output>>) async throws -> S.State {
    try await stage.setUp(context, tagging.outlet(Meta(), out))
  }

  func process(_ item: Tagged<S.Input>, state: inout S.State, _ out: Outlet<Tagged<S.Output>>) async throws {
    try await Meta.$here.withValue(item.meta) {
      try await stage.process(item.item, state: &state, tagging.outlet(item.meta, out))
    }
  }

  func tearDown(_ state: consuming S.State, _ out: Outlet<Tagged<S.Output>>) async throws {
    try await stage.tearDown(state, tagging.outlet(Meta(), out))
  }
}

extension TaggedStage: OneOfOne where S: OneOfOne {}
extension TaggedStage: PacedStage where S: PacedStage {}
extension TaggedStage: GatheringStage where S: GatheringStage {}

/// A source of items with meta.
struct TaggedSource<S: Source>: Source {
  let source: S
  let tagging: Tagging

  func produce(_ out: Outlet<Tagged<S.Output>>) async throws {
    // How long it took until it put is no item's own.
    try await source.produce(Tagging(stage: tagging.stage, isTimed: false).outlet(Meta(), out))
  }
}

extension TaggedSource: SequenceSource where S: SequenceSource {
  var input: PipelineInput { source.input.asTagged }
}

extension Blueprint {
  /// Whether a stage sets meta, or times itself.
  var carriesMeta: Bool { stages.contains(where: \.setsMeta) }

  /// The pipeline of items with meta.
  var tagged: Blueprint { Blueprint(stages: stages.map(\.tagged), graph: graph, outputs: outputs) }
}

extension Blueprint.Stage {
  fileprivate var setsMeta: Bool {
    func says<S: Source>(_ source: S) -> Bool { S.setsMeta }
    func says<S: Millrace.Stage>(_ stage: S) -> Bool { S.setsMeta }
    if options.recordsTimings == true { return true }
    return switch work {
    case .source(let source): says(source)
    case .stage(let stage): says(stage)
    case .elastic(let stage): says(stage)
    case .inlet, .worker, .choice, .gather, .merge, .join: false
    }
  }

  fileprivate var tagged: Blueprint.Stage {
    let tagging = Tagging(stage: name, isTimed: options.recordsTimings ?? false)
    func source<S: Source>(_ source: S) -> PipelineNode.Work { .source(TaggedSource(source: source, tagging: tagging)) }
    func worker<W: Worker>(_ worker: W) -> PipelineNode.Work { .worker(TaggedWorker(worker: worker, tagging: tagging)) }
    func elastic<S: ElasticStage>(_ stage: S) -> PipelineNode.Work {
      if let plain = stage as? any PlainElasticStage { return .elastic(plain.tagged) }
      return .elastic(TaggedElastic(stage: stage, tagging: tagging))
    }
    func stage<S: Millrace.Stage>(_ stage: S) -> PipelineNode.Work {
      .stage(TaggedStage(stage: stage, tagging: tagging))
    }
    func join<K: ItemKind>(_ kind: K, _ join: @escaping @Sendable ([any Sendable]) -> any Sendable) -> PipelineNode.Work
    {
      .join(kind.taggedJoiner(join))
    }
    let work: PipelineNode.Work =
      switch self.work {
      case .inlet, .choice, .merge: self.work
      case .gather(let each): .gather(each.tagged)
      case .source(let each): source(each)
      case .worker(let each): worker(each)
      case .elastic(let each): elastic(each)
      case .stage(let each): stage(each)
      case .join(let each): join(kind, each)
      }
    return Blueprint.Stage(
      work: work, name: name, inputs: inputs, options: options, width: width, kind: kind.tagged, group: group,
      problem: problem, isTee: isTee)
  }
}
