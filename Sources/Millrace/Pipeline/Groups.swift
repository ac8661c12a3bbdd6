// Lines of a builder that hold lines: named with capitals, as the types beside which they stand.

/// So many instances, with slots of their own, over and above those that the pipeline shares; items go to whichever is free.
public func Parallel<A, B>(
  _ width: Int, on backend: WorkerPool.Backend? = nil, @PipelineBuilder _ build: () -> Pipeline<A, B>
) -> Pipeline<A, B> { build().grouped(StageOptions(on: backend), width: width) }

/// One after the other, in order, in one place.
public func Serial<A, B>(
  on backend: WorkerPool.Backend? = nil, @PipelineBuilder _ build: () -> Pipeline<A, B>
) -> Pipeline<A, B> { build().grouped(StageOptions(on: backend, order: .input), width: 1) }

/// Side by side: each item goes to one of them.
public func AnyOf<A, B>(@AlternativesBuilder _ build: () -> [Pipeline<A, B>]) -> Pipeline<A, B> {
  let inlet = PipelineNode.inlet(A.self)
  let choice = PipelineNode(.choice, "anyOf", [inlet], ItemsOf<A>())
  return Pipeline(
    inlet: inlet, node: PipelineNode(.merge, "merge", build().map { $0.applied(to: choice) }, ItemsOf<B>()))
}

/// Every item goes to each of them; what they give is merged.
public func Broadcast<A, B>(@AlternativesBuilder _ build: () -> [Pipeline<A, B>]) -> Pipeline<A, B> {
  broadcast(build())
}

/// Every item goes to each of them; their results come as a tuple, those of one item together.
public func Zip<A, B>(@ZipBuilder _ build: () -> Pipeline<A, B>) -> Pipeline<A, B> { build() }

/// So many instances of a stage, side by side.
public func As<W: Worker>(_ count: Int, _ worker: W) -> Pipeline<W.Input, W.Output> { Parallel(count) { worker } }

/// So many instances of a stage, each of which sees every item.
public func By<W: Worker>(_ count: Int, _ worker: W) -> Pipeline<W.Input, W.Output> {
  broadcast(Array(repeating: .worker(worker), count: count))
}

private func broadcast<A, B>(_ branches: [Pipeline<A, B>]) -> Pipeline<A, B> {
  let inlet = PipelineNode.inlet(A.self)
  return Pipeline(
    inlet: inlet, node: PipelineNode(.merge, "merge", branches.map { $0.applied(to: inlet) }, ItemsOf<B>()))
}
