// Lines of a builder that hold lines: named with capitals, as the types beside which they stand.

/// So many instances, with slots of their own, over and above those that the pipeline shares; items go to whichever is free.
public func Parallel<Lines: PipelineLines>(
  _ width: Int, on backend: WorkerPool.Backend? = nil, @PipelineBuilder _ build: () -> Lines
) -> Lines { build()._grouped(_LineGroup(options: StageOptions(on: backend), width: width, title: "Parallel")) }

/// One after the other, in order, in one place.
public func Serial<Lines: PipelineLines>(
  on backend: WorkerPool.Backend? = nil, @PipelineBuilder _ build: () -> Lines
) -> Lines {
  build()._grouped(_LineGroup(options: StageOptions(on: backend, order: .input), width: 1, title: "Serial"))
}

/// Side by side: each item goes to one of them, whichever has room.
///
/// What they make of the items comes in the items' order, as long as each branch makes one of one, several (a `Broadcast`), or leaves
/// it out. With a branch of which that is not known, as with a ``FlatMap``, a ``Batched`` or a ``Stage``, it comes as it comes.
public func AnyOf<A, B>(@AlternativesBuilder _ build: () -> PipelineAlternatives<A, B>) -> Pipeline<A, B> {
  anyOf(build().all)
}

/// Side by side: each item goes to one of them, whichever has room. None of them says of which items it is.
public func AnyOf(@AlternativesBuilder _ build: () -> AnyItemAlternatives) -> AnyItemLines {
  AnyItemLines(steps: [AnyItemBranches(branches: build().all, isBroadcast: false)])
}

/// Every item goes to each of them; what they give is merged.
public func Broadcast<A, B>(@AlternativesBuilder _ build: () -> PipelineAlternatives<A, B>) -> Pipeline<A, B> {
  broadcast(build().all)
}

/// Every item goes to each of them; what they give is merged. None of them says of which items it is.
public func Broadcast(@AlternativesBuilder _ build: () -> AnyItemAlternatives) -> AnyItemLines {
  AnyItemLines(steps: [AnyItemBranches(branches: build().all, isBroadcast: true)])
}

/// Every item goes to each of them; their results come as a tuple, those of one item together.
public func Zip<A, B>(@ZipBuilder _ build: () -> Pipeline<A, B>) -> Pipeline<A, B> { build() }

/// So many instances of a worker, with slots of their own, side by side.
public func As<W: Worker>(_ count: Int, _ worker: W) -> Pipeline<W.Input, W.Output> {
  Pipeline<W.Input, W.Output>.worker(worker).grouped(StageOptions(), width: count, title: "As")
}

/// So many instances of a stage, each with a state and a slot of its own; an item goes to whichever is free.
public func As<S: Stage>(_ count: Int, _ stage: S) -> Pipeline<S.Input, S.Output> {
  Pipeline<S.Input, S.Output>.stage(stage).grouped(StageOptions(), width: count, title: "As")
}

/// So many instances of a line that takes items of whatever type.
public func As(_ count: Int, _ stage: some AnyItemStage) -> AnyItemLines {
  AnyItemLines(steps: [stage])._grouped(_LineGroup(options: StageOptions(), width: count, title: "As"))
}

/// So many instances of a worker, each of which sees every item.
public func By<W: Worker>(_ count: Int, _ worker: W) -> Pipeline<W.Input, W.Output> { by(count, .worker(worker)) }

/// So many instances of a stage, each of which sees every item.
public func By<S: Stage>(_ count: Int, _ stage: S) -> Pipeline<S.Input, S.Output> { by(count, .stage(stage)) }

/// So many instances of a line that takes items of whatever type, each of which sees every item.
public func By(_ count: Int, _ stage: some AnyItemStage) -> AnyItemLines {
  AnyItemLines(steps: [AnyItemBy(count, stage)])
}

private struct AnyItemBy: AnyItemStage {
  let count: Int
  let stage: any AnyItemStage

  init(_ count: Int, _ stage: any AnyItemStage) { (self.count, self.stage) = (count, stage) }
  func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item> { by(count, stage.pipeline(of: type)) }
}

private func by<A, B>(_ count: Int, _ pipeline: Pipeline<A, B>) -> Pipeline<A, B> {
  let counts = 1...WorkerPool.Backend.maximumWidth
  do {
    try InvalidOption.check("By", count, in: counts)
  } catch {
    return pipeline.grouped(StageOptions(), refusal: error)
  }
  return broadcast(Array(repeating: pipeline, count: count))
}

func anyOf<A, B>(_ branches: [Pipeline<A, B>]) -> Pipeline<A, B> {
  let inlet = PipelineNode.inlet(A.self)
  let choice = PipelineNode(.choice, "anyOf", [inlet], ItemsOf<A>())
  if branches.isEmpty { return nothing("AnyOf") }
  let ends = branches.map { branch in
    // Each branch is one reader of the choice: where it begins with a fork, or is empty, an item has to come to all of it.
    let uses = branch.inputUses
    let isOne = uses == 0 || uses == 1 && branch.node !== branch.inlet
    return branch.applied(to: isOne ? choice : PipelineNode(.merge, "branch", [choice], ItemsOf<A>()))
  }
  return Pipeline(inlet: inlet, node: PipelineNode(.merge, "merge", ends, ItemsOf<B>()))
}

func broadcast<A, B>(_ branches: [Pipeline<A, B>]) -> Pipeline<A, B> {
  if branches.isEmpty { return nothing("Broadcast") }
  let inlet = PipelineNode.inlet(A.self)
  return Pipeline(
    inlet: inlet, node: PipelineNode(.merge, "merge", branches.map { $0.applied(to: inlet) }, ItemsOf<B>()))
}

/// A group without branches, of which nothing could come: it is refused when the pipeline begins.
private func nothing<A, B>(_ title: String) -> Pipeline<A, B> {
  let refusal = InvalidOption(name: title, value: "empty", allowed: "of one branch at least")
  return Pipeline<A, B>(.merge, title).grouped(StageOptions(), refusal: refusal)
}
