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
  public static func buildExpression<A: Sendable, B: Sendable>(
    _ function: @escaping @Sendable (A) async throws -> B
  ) -> Pipeline<A, B> { .function(function) }
  /// A line.
  public static func buildExpression<P: AnyItemStage>(_ stage: P) -> P { stage }
  /// A line.
  public static func buildExpression(_ batch: Batched) -> Batched { batch }

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
  public static func buildPartialBlock<A, B>(accumulated: Pipeline<A, B>, next: Batched) -> Pipeline<A, [B]> {
    accumulated.then(next.pipeline(of: B.self))
  }
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
  public static func buildExpression<A: Sendable, B: Sendable>(
    _ function: @escaping @Sendable (A) async throws -> B
  ) -> Pipeline<A, B> { .function(function) }
  /// All lines.
  public static func buildBlock<A, B>(_ pipelines: Pipeline<A, B>...) -> [Pipeline<A, B>] { pipelines }
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
  public static func buildExpression<A: Sendable, B: Sendable>(
    _ function: @escaping @Sendable (A) async throws -> B
  ) -> Pipeline<A, B> { .function(function) }
  /// All lines.
  public static func buildBlock<A: Sendable, each B: Sendable>(
    _ branches: repeat Pipeline<A, each B>
  ) -> Pipeline<A, (repeat each B)> {
    let inlet = PipelineNode.inlet(A.self)
    var nodes: [PipelineNode] = []
    for branch in repeat each branches { nodes.append(branch.applied(to: inlet)) }
    return Pipeline(
      inlet: inlet, node: PipelineNode(.join(joiner((repeat each B).self)), "zip", nodes, ItemsOf<(repeat each B)>()))
  }
}
