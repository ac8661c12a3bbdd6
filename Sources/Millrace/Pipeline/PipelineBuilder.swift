/// Makes a pipeline of its lines.
///
/// Each line is typed alone, and there is one way to put two together: so the compiler names both types, on the right line, where
/// they do not fit.
@resultBuilder
public enum PipelineBuilder {
  // What a line may be.

  /// A line.
  public static func buildExpression<A, B>(_ pipeline: Pipeline<A, B>) -> Pipeline<A, B> { pipeline }
  /// A line.
  public static func buildExpression<W: Worker>(_ worker: W) -> Pipeline<W.Input, W.Output> { .worker(worker) }
  /// A line.
  public static func buildExpression<S: Stage>(_ stage: S) -> Pipeline<S.Input, S.Output> { .stage(stage) }
  /// A line.
  public static func buildExpression<Item>(_ filter: Filter<Item>) -> Pipeline<Item, Item> { .elastic(filter) }
  /// A line.
  public static func buildExpression<A, Results>(_ flatMap: FlatMap<A, Results>) -> Pipeline<A, Results.Element> {
    .elastic(flatMap)
  }
  /// A line.
  public static func buildExpression<A, B>(_ compactMap: CompactMap<A, B>) -> Pipeline<A, B> { .elastic(compactMap) }
  /// A line.
  public static func buildExpression<S: Source>(_ source: S) -> Pipeline<Nothing, S.Output> {
    let inlet = PipelineNode.inlet(Nothing.self)
    let name = String("\(S.self)".prefix { $0 != "<" })
    return Pipeline(inlet: inlet, node: PipelineNode(.source(source), name, [], ItemsOf<S.Output>()))
  }
  /// A line.
  @inlinable
  public static func buildExpression<A: Sendable, B: Sendable>(
    _ function: @escaping @Sendable (A) async throws -> B
  ) -> Pipeline<A, B> { buildExpression(ClosureWorker(function)) }
  /// A line.
  public static func buildExpression<P: AnyItemStage>(_ stage: P) -> P { stage }
  /// A line.
  public static func buildExpression<P: AnyBatchStage>(_ batch: P) -> P { batch }

  // How they are put together.

  /// Lines, one behind the other.
  public static func buildPartialBlock<A, B>(first: Pipeline<A, B>) -> Pipeline<A, B> { first }
  /// Lines, one behind the other.
  public static func buildPartialBlock<A, B, C>(accumulated: Pipeline<A, B>, next: Pipeline<B, C>) -> Pipeline<A, C> {
    accumulated.then(next)
  }
  /// Lines, one behind the other.
  public static func buildPartialBlock<A, B, P: AnyItemStage>(accumulated: Pipeline<A, B>, next: P) -> Pipeline<A, B> {
    accumulated.then(next.pipeline(of: B.self))
  }
  /// Lines, one behind the other.
  public static func buildPartialBlock<A, B, P: AnyBatchStage>(
    accumulated: Pipeline<A, B>, next: P
  ) -> Pipeline<A, [B]> { accumulated.then(next.pipeline(of: B.self)) }

  // The first of them do not say of which items they are.

  /// Lines, one behind the other.
  public static func buildPartialBlock<P: AnyItemStage>(first: P) -> AnyItemLines { AnyItemLines(steps: [first]) }
  /// Lines, one behind the other.
  public static func buildPartialBlock<P: AnyBatchStage>(first: P) -> AnyBatchLines { AnyBatchLines(first) }
  /// Lines, one behind the other.
  public static func buildPartialBlock<B, C>(accumulated: AnyItemLines, next: Pipeline<B, C>) -> Pipeline<B, C> {
    accumulated.pipeline(of: B.self).then(next)
  }
  /// Lines, one behind the other.
  public static func buildPartialBlock<P: AnyItemStage>(accumulated: AnyItemLines, next: P) -> AnyItemLines {
    AnyItemLines(steps: accumulated.steps + [next])
  }
  /// Lines, one behind the other.
  public static func buildPartialBlock<P: AnyBatchStage>(accumulated: AnyItemLines, next: P) -> AnyBatchLines {
    AnyBatchLines(next, behind: accumulated.steps)
  }
  /// Lines, one behind the other.
  public static func buildPartialBlock<B, C>(accumulated: AnyBatchLines, next: Pipeline<[B], C>) -> Pipeline<B, C> {
    accumulated.pipeline(of: B.self).then(next)
  }
  /// Lines, one behind the other.
  public static func buildPartialBlock<P: AnyItemStage>(accumulated: AnyBatchLines, next: P) -> AnyBatchLines {
    AnyBatchLines(accumulated.batch, behind: accumulated.before.steps, after: accumulated.after.steps + [next])
  }

  // What they come to: where all of them say nothing of their items, what stands around them may.

  /// All lines.
  public static func buildFinalResult<A, B>(_ lines: Pipeline<A, B>) -> Pipeline<A, B> { lines }
  /// All lines.
  public static func buildFinalResult(_ lines: AnyItemLines) -> AnyItemLines { lines }
  /// All lines.
  public static func buildFinalResult(_ lines: AnyBatchLines) -> AnyBatchLines { lines }
  /// All lines.
  public static func buildFinalResult<A>(_ lines: AnyItemLines) -> Pipeline<A, A> { lines.pipeline(of: A.self) }
  /// All lines.
  public static func buildFinalResult<A>(_ lines: AnyBatchLines) -> Pipeline<A, [A]> { lines.pipeline(of: A.self) }
}

/// Makes a list of pipelines with the same ends of its lines.
@resultBuilder
public enum AlternativesBuilder {
  /// A line.
  public static func buildExpression<A, B>(_ pipeline: Pipeline<A, B>) -> Pipeline<A, B> { pipeline }
  /// A line.
  public static func buildExpression<W: Worker>(_ worker: W) -> Pipeline<W.Input, W.Output> { .worker(worker) }
  /// A line.
  public static func buildExpression<S: Stage>(_ stage: S) -> Pipeline<S.Input, S.Output> { .stage(stage) }
  /// A line.
  @inlinable
  public static func buildExpression<A: Sendable, B: Sendable>(
    _ function: @escaping @Sendable (A) async throws -> B
  ) -> Pipeline<A, B> { buildExpression(ClosureWorker(function)) }
  /// A line.
  public static func buildExpression<P: AnyItemStage>(_ stage: P) -> P { stage }

  /// No line.
  public static func buildBlock<A, B>() -> PipelineAlternatives<A, B> { PipelineAlternatives(all: []) }
  /// Lines, beside each other.
  public static func buildPartialBlock<A, B>(first: Pipeline<A, B>) -> PipelineAlternatives<A, B> {
    PipelineAlternatives(all: [first])
  }
  /// Lines, beside each other.
  public static func buildPartialBlock<P: AnyItemStage>(first: P) -> AnyItemAlternatives {
    AnyItemAlternatives(all: [first])
  }
  /// Lines, beside each other.
  public static func buildPartialBlock<A, B>(
    accumulated: PipelineAlternatives<A, B>, next: Pipeline<A, B>
  ) -> PipelineAlternatives<A, B> { PipelineAlternatives(all: accumulated.all + [next]) }
  /// Lines, beside each other.
  public static func buildPartialBlock<A, P: AnyItemStage>(
    accumulated: PipelineAlternatives<A, A>, next: P
  ) -> PipelineAlternatives<A, A> { PipelineAlternatives(all: accumulated.all + [next.pipeline(of: A.self)]) }
  /// Lines, beside each other.
  public static func buildPartialBlock<P: AnyItemStage>(
    accumulated: AnyItemAlternatives, next: P
  ) -> AnyItemAlternatives { AnyItemAlternatives(all: accumulated.all + [next]) }
  // Disfavoured: where ends differ, the compiler would not know which of two it is about, and say nothing of use.
  /// Lines, beside each other.
  @_disfavoredOverload
  public static func buildPartialBlock<A>(
    accumulated: AnyItemAlternatives, next: Pipeline<A, A>
  ) -> PipelineAlternatives<A, A> {
    PipelineAlternatives(all: accumulated.all.map { $0.pipeline(of: A.self) } + [next])
  }
}

/// Lines beside each other: pipelines with the same ends.
public struct PipelineAlternatives<Input: Sendable, Output: Sendable>: Sendable {
  let all: [Pipeline<Input, Output>]
}

/// Lines beside each other none of which says of which items it is.
public struct AnyItemAlternatives: Sendable {
  let all: [any AnyItemStage]
}

/// The branches of a ``Zip(_:)``.
public struct ZipBranches<Input: Sendable, each Output: Sendable>: Sendable {
  let inlet: PipelineNode
  let nodes: [PipelineNode]

  /// Behind one inlet.
  init(_ inlet: PipelineNode, _ nodes: [PipelineNode]) { (self.inlet, self.nodes) = (inlet, nodes) }
}

/// Makes a pipeline of tuples of its lines, each of which sees every item.
@resultBuilder
public enum ZipBuilder {
  /// A line.
  public static func buildExpression<A, B>(_ pipeline: Pipeline<A, B>) -> Pipeline<A, B> { pipeline }
  /// A line.
  public static func buildExpression<W: Worker>(_ worker: W) -> Pipeline<W.Input, W.Output> { .worker(worker) }
  /// A line.
  public static func buildExpression<S: Stage>(_ stage: S) -> Pipeline<S.Input, S.Output> { .stage(stage) }
  /// A line.
  @inlinable
  public static func buildExpression<A: Sendable, B: Sendable>(
    _ function: @escaping @Sendable (A) async throws -> B
  ) -> Pipeline<A, B> { buildExpression(ClosureWorker(function)) }
  /// A line.
  public static func buildExpression<P: AnyItemStage>(_ stage: P) -> P { stage }
  /// A line.
  public static func buildExpression<P: AnyBatchStage>(_ batch: P) -> P { batch }

  /// Lines, beside each other.
  public static func buildPartialBlock<A, B>(first: Pipeline<A, B>) -> ZipBranches<A, B> {
    ZipBranches(first.inlet, [first.node])
  }
  /// Lines, beside each other.
  public static func buildPartialBlock<P: AnyItemStage>(first: P) -> P { first }
  /// Lines, beside each other.
  public static func buildPartialBlock<P: AnyBatchStage>(first: P) -> P { first }
  /// Lines, beside each other.
  public static func buildPartialBlock<A, each B, C>(
    accumulated: ZipBranches<A, repeat each B>, next: Pipeline<A, C>
  ) -> ZipBranches<A, repeat each B, C> {
    ZipBranches(accumulated.inlet, accumulated.nodes + [next.applied(to: accumulated.inlet)])
  }
  /// Lines, beside each other.
  public static func buildPartialBlock<A, each B, P: AnyItemStage>(
    accumulated: ZipBranches<A, repeat each B>, next: P
  ) -> ZipBranches<A, repeat each B, A> {
    ZipBranches(accumulated.inlet, accumulated.nodes + [next.pipeline(of: A.self).applied(to: accumulated.inlet)])
  }
  /// Lines, beside each other.
  public static func buildPartialBlock<A, each B, P: AnyBatchStage>(
    accumulated: ZipBranches<A, repeat each B>, next: P
  ) -> ZipBranches<A, repeat each B, [A]> {
    ZipBranches(accumulated.inlet, accumulated.nodes + [next.pipeline(of: A.self).applied(to: accumulated.inlet)])
  }
  /// Lines, beside each other: the second says of which items both are.
  public static func buildPartialBlock<A, C, P: AnyItemStage>(
    accumulated: P, next: Pipeline<A, C>
  ) -> ZipBranches<A, A, C> {
    ZipBranches(next.inlet, [accumulated.pipeline(of: A.self).applied(to: next.inlet), next.node])
  }
  /// Lines, beside each other: the second says of which items both are.
  public static func buildPartialBlock<A, C, P: AnyBatchStage>(
    accumulated: P, next: Pipeline<A, C>
  ) -> ZipBranches<A, [A], C> {
    ZipBranches(next.inlet, [accumulated.pipeline(of: A.self).applied(to: next.inlet), next.node])
  }

  /// All lines.
  public static func buildFinalResult<A, each B>(_ branches: ZipBranches<A, repeat each B>) -> Pipeline<
    A, (repeat each B)
  > {
    Pipeline(
      inlet: branches.inlet,
      node: PipelineNode(
        .join(joiner((repeat each B).self)), "zip", branches.nodes, ItemsOf<(repeat each B)>()))
  }
}
