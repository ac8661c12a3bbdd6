// Lines of a builder that hold lines: named with capitals, as the types beside which they stand.

/// So many instances, with slots of their own, over and above those that the pipeline shares; items go to whichever is free.
public func Parallel<A, B>(
  _ width: Int, on backend: WorkerPool.Backend? = nil, @PipelineBuilder _ build: () -> Pipeline<A, B>
) -> Pipeline<A, B> { build().grouped(StageOptions(on: backend), width: width, title: "Parallel") }

/// One after the other, in order, in one place.
public func Serial<A, B>(
  on backend: WorkerPool.Backend? = nil, @PipelineBuilder _ build: () -> Pipeline<A, B>
) -> Pipeline<A, B> { build().grouped(StageOptions(on: backend, order: .input), width: 1, title: "Serial") }

/// Side by side: each item goes to one of them, whichever has room.
///
/// What they make of the items comes in the items' order, as long as each branch makes one of one, several (a ``Broadcast(_:)``), or leaves
/// it out. With a branch of which that is not known, as with a ``FlatMap``, a ``Batched`` or a ``Stage``, it comes as it comes.
public func AnyOf<A, B>(@AlternativesBuilder _ build: () -> [Pipeline<A, B>]) -> Pipeline<A, B> {
  let inlet = PipelineNode.inlet(A.self)
  let choice = PipelineNode(.choice, "anyOf", [inlet], ItemsOf<A>())
  let branches = build()
  if branches.isEmpty { return nothing("AnyOf") }
  let ends = branches.map { branch in
    // Each branch is one reader of the choice: where it begins with a fork, or is empty, an item has to come to all of it.
    let uses = branch.inputUses
    let isOne = uses == 0 || uses == 1 && branch.node !== branch.inlet
    return branch.applied(to: isOne ? choice : PipelineNode(.merge, "branch", [choice], ItemsOf<A>()))
  }
  return Pipeline(inlet: inlet, node: PipelineNode(.merge, "merge", ends, ItemsOf<B>()))
}

/// Every item goes to each of them; what they give is merged.
public func Broadcast<A, B>(@AlternativesBuilder _ build: () -> [Pipeline<A, B>]) -> Pipeline<A, B> {
  let branches = build()
  return branches.isEmpty ? nothing("Broadcast") : broadcast(branches)
}

/// Every item goes to each of them; their results come as a tuple, those of one item together.
public func Zip<A, B>(@ZipBuilder _ build: () -> Pipeline<A, B>) -> Pipeline<A, B> { build() }

/// So many instances of a stage, side by side.
public func As<W: Worker>(_ count: Int, _ worker: W) -> Pipeline<W.Input, W.Output> {
  Pipeline<W.Input, W.Output>.worker(worker).grouped(StageOptions(), width: count, title: "As")
}

/// So many instances of a stage, each of which sees every item.
public func By<W: Worker>(_ count: Int, _ worker: W) -> Pipeline<W.Input, W.Output> {
  let counts = 1...WorkerPool.Backend.maximumWidth
  do {
    try InvalidOption.check("By", count, in: counts)
  } catch {
    return Pipeline<W.Input, W.Output>.worker(worker).grouped(StageOptions(), refusal: error)
  }
  return broadcast(Array(repeating: .worker(worker), count: count))
}

private func broadcast<A, B>(_ branches: [Pipeline<A, B>]) -> Pipeline<A, B> {
  let inlet = PipelineNode.inlet(A.self)
  return Pipeline(
    inlet: inlet, node: PipelineNode(.merge, "merge", branches.map { $0.applied(to: inlet) }, ItemsOf<B>()))
}

/// A group without branches, of which nothing could come: it is refused when the pipeline begins.
private func nothing<A, B>(_ title: String) -> Pipeline<A, B> {
  let refusal = InvalidOption(name: title, value: "empty", allowed: "of one branch at least")
  return Pipeline<A, B>(.merge, title).grouped(StageOptions(), refusal: refusal)
}
