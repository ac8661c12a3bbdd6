/// What runs through a pipeline that is being described, at one place. Used twice, it is a fork. Cycles cannot be written.
public struct Flow<Item: Sendable>: Sendable {
  let node: PipelineNode

  private func step<Next>(_ next: Pipeline<Item, Next>) -> Flow<Next> { Flow<Next>(node: next.applied(to: node)) }

  /// Turns each item into another, in any slot.
  @inlinable
  public func map<Next: Sendable>(_ body: @escaping @Sendable (Item) async throws -> Next) -> Flow<Next> {
    map(with: ClosureWorker(body))
  }
  /// Has a worker turn each item into another, in any slot.
  public func map<W: Worker>(with worker: W) -> Flow<W.Output> where W.Input == Item { step(.worker(worker)) }
  /// Keeps those that the closure says.
  @inlinable
  public func filter(_ isKept: @escaping @Sendable (Item) async throws -> Bool) -> Flow<Item> {
    stage(Filter(isKept))
  }
  /// Turns each item into none, one or several.
  @inlinable
  public func flatMap<S: Sequence & Sendable>(_ body: @escaping @Sendable (Item) async throws -> S) -> Flow<S.Element>
  where S.Element: Sendable { stage(FlatMap(body)) }
  /// Collects so many items, and what is left at the end.
  public func batch(_ size: Int) -> Flow<[Item]> { step(Batched(size).pipeline(of: Item.self)) }
  /// A stage: one instance, which sees the items in order.
  public func stage<S: Stage>(_ stage: S) -> Flow<S.Output> where S.Input == Item { step(.stage(stage)) }
  /// Prints each item, and hands it on.
  public func print(_ prefix: String = "") -> Flow<Item> { step(.stage(Print(prefix).stage(for: Item.self))) }
  /// Another pipeline.
  public func through<Next>(_ pipeline: Pipeline<Item, Next>) -> Flow<Next> { step(pipeline) }
  /// So many instances of a worker, with slots of their own.
  public func parallel<W: Worker>(_ width: Int, on backend: WorkerPool.Backend? = nil, _ worker: W) -> Flow<W.Output>
  where W.Input == Item { step(Pipeline<Item, Item>.empty.parallel(width, on: backend, worker)) }
  /// So many instances of a stage, each with a state and a slot of its own.
  public func parallel<S: Stage>(_ width: Int, on backend: WorkerPool.Backend? = nil, _ stage: S) -> Flow<S.Output>
  where S.Input == Item { step(Pipeline<Item, Item>.empty.parallel(width, on: backend, stage)) }
}

extension Flow {
  /// What a source puts, as a flow: where several come together, or a graph needs no input.
  public init<S: Source>(_ source: S) where S.Output == Item {
    node = PipelineNode(.source(source), String("\(S.self)".prefix { $0 != "<" }), [], ItemsOf<Item>())
  }
}

/// Those of one item together, as a tuple; it ends with the shortest.
public func zip<each Item: Sendable>(_ flows: repeat Flow<each Item>) -> Flow<(repeat each Item)> {
  var nodes: [PipelineNode] = []
  for flow in repeat each flows { nodes.append(flow.node) }
  return Flow<(repeat each Item)>(
    node: PipelineNode(.join(joiner((repeat each Item).self)), "zip", nodes, ItemsOf<(repeat each Item)>()))
}

/// What several give, as it comes.
public func merge<Item>(_ flows: Flow<Item>...) -> Flow<Item> {
  Flow(node: PipelineNode(.merge, "merge", flows.map(\.node), ItemsOf<Item>()))
}

/// Makes a tuple of values whose types are known from the graph.
func joiner<each Item: Sendable>(_ type: (repeat each Item).Type) -> @Sendable ([any Sendable]) -> any Sendable {
  { values in
    var place = -1
    func next<Value>(_ type: Value.Type) -> Value {
      place += 1
      return values[place] as! Value
    }
    return (repeat next((each Item).self))
  }
}

extension Pipeline {
  static func worker<W: Worker>(_ worker: W) -> Pipeline where W.Input == Input, W.Output == Output {
    Pipeline(.worker(worker), W.self is any ClosureWorkerType.Type ? "function" : "\(W.self)")
  }

  static func elastic<S: ElasticStage>(_ stage: S) -> Pipeline where S.Input == Input, S.Output == Output {
    Pipeline(.elastic(stage), stageName(stage))
  }

  static func stage<S: Stage>(_ stage: S) -> Pipeline where S.Input == Input, S.Output == Output {
    // Wherever it is written: a filter is in no order.
    if let elastic = stage as? any ElasticStage { return Pipeline(.elastic(elastic), stageName(stage)) }
    return Pipeline(.stage(stage), stageName(stage))
  }

  // What a flow can do, a pipeline can.

  private func step<Next>(_ next: Pipeline<Output, Next>) -> Pipeline<Input, Next> { then(next) }

  /// Turns each item into another, in any slot.
  @inlinable
  public func map<Next: Sendable>(_ body: @escaping @Sendable (Output) async throws -> Next) -> Pipeline<Input, Next> {
    map(with: ClosureWorker(body))
  }
  /// Has a worker turn each item into another, in any slot.
  public func map<W: Worker>(with worker: W) -> Pipeline<Input, W.Output> where W.Input == Output {
    step(.worker(worker))
  }
  /// Keeps those that the closure says.
  @inlinable
  public func filter(_ isKept: @escaping @Sendable (Output) async throws -> Bool) -> Pipeline {
    stage(Filter(isKept))
  }
  /// Turns each item into none, one or several.
  @inlinable
  public func flatMap<S: Sequence & Sendable>(
    _ body: @escaping @Sendable (Output) async throws -> S
  ) -> Pipeline<Input, S.Element> where S.Element: Sendable { stage(FlatMap(body)) }
  /// Collects so many items, and what is left at the end.
  public func batch(_ size: Int) -> Pipeline<Input, [Output]> { step(Batched(size).pipeline(of: Output.self)) }
  /// A stage: one instance, which sees the items in order.
  public func stage<S: Stage>(_ stage: S) -> Pipeline<Input, S.Output> where S.Input == Output { step(.stage(stage)) }
  /// Prints each item, and hands it on.
  public func print(_ prefix: String = "") -> Pipeline { step(.stage(Print(prefix).stage(for: Output.self))) }
  /// Another pipeline.
  public func through<Next>(_ pipeline: Pipeline<Output, Next>) -> Pipeline<Input, Next> { step(pipeline) }
  /// So many instances of a worker, with slots of their own.
  public func parallel<W: Worker>(_ width: Int, on backend: WorkerPool.Backend? = nil, _ worker: W) -> Pipeline<
    Input, W.Output
  >
  where W.Input == Output {
    step(Pipeline<Output, W.Output>.worker(worker).grouped(StageOptions(on: backend), width: width, title: "parallel"))
  }
  /// So many instances of a stage, each with a state and a slot of its own.
  public func parallel<S: Stage>(_ width: Int, on backend: WorkerPool.Backend? = nil, _ stage: S) -> Pipeline<
    Input, S.Output
  >
  where S.Input == Output {
    step(Pipeline<Output, S.Output>.stage(stage).grouped(StageOptions(on: backend), width: width, title: "parallel"))
  }
}

/// The name of the type, without what it is generic over.
private func stageName<S: Stage>(_ stage: S) -> String {
  (stage as? any NamedStage)?.name ?? String("\(S.self)".prefix { $0 != "<" })
}

/// A stage whose name is not that of its type.
protocol NamedStage { var name: String { get } }

extension Tap: NamedStage {}

/// A stage that makes one of each item.
protocol OneOfOne {}

/// A stage that says when its items go on: each does when it is done, and not with its neighbours.
protocol PacedStage {}

extension Tap: OneOfOne {}

/// A stage of which each output is of all items since the one before.
protocol GatheringStage {}
