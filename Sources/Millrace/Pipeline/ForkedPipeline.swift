/// A pipeline with several outputs, each for a consumer of its own. A value; running it is something else.
///
/// ```swift
/// let fork = ForkedPipeline<String, String, Int>.graph { lines in
///   (lines.filter { $0.hasPrefix("error") }, lines.map { $0.count })
/// }
/// let (errors, lengths) = fork.outputs(of: log)
/// async let longest = lengths.reduce(0, max)
/// for try await error in errors { print(error) }
/// ```
///
/// All that is common to them runs once. Each output is taken by a loop of its own, in a task of its own, and at its own pace: who is ahead waits
/// for who is behind, for no more than some items are kept between them.
///
/// - A loop that is left, or whose task is cancelled, leaves the others going. When the last is, the run is over.
/// - The end of an output ends its loop. The loop that ends last waits until nothing of the run is left.
/// - What ends the run, such as an item that fails, ends all loops: each is given what was waiting for it, and then the error.
/// - For an output whose loop has not begun up to 65,536 items are kept, so that one task may take a few of one output after the other; the
///   log says so. When these are not enough, and a second has passed, the run ends with a ``PipelineError`` (`standstill`). What one does not
///   want one lets go of: `let (errors, _) = …`.
public struct ForkedPipeline<Input: Sendable, each Output: Sendable>: Sendable {
  private let inlet: PipelineNode
  private let nodes: [PipelineNode]

  private init(_ inlet: PipelineNode, _ nodes: [PipelineNode]) { (self.inlet, self.nodes) = (inlet, nodes) }

  // Not another `Pipeline.graph`: between the two of them the compiler would take seconds for a long chain, and say less of what does not fit.
  /// By flows: a graph of which several come out.
  public static func graph(_ build: (Flow<Input>) -> (repeat Flow<each Output>)) -> ForkedPipeline {
    let inlet = PipelineNode.inlet(Input.self)
    var ends: [PipelineNode] = []
    for flow in repeat each build(Flow(node: inlet)) { ends.append(flow.node) }
    return ForkedPipeline(inlet, MarkedGraph.resolved(ends, from: inlet))
  }

  /// All of it has these options.
  public func options(_ options: StageOptions) -> ForkedPipeline {
    let group = PipelineNode.Group(options: options, width: nil)
    var copier = NodeCopier(inlet, by: inlet, in: group)
    return ForkedPipeline(inlet, nodes.map { copier.copy($0) })
  }

  /// As ``Pipeline/layout(on:)``.
  public func layout(on pool: WorkerPool? = nil) -> String { Blueprint(nodes).layout(on: pool) }

  /// As ``Pipeline/layoutSVG()``.
  public func layoutSVG() -> String { Blueprint(nodes).layoutSVG() }

  // MARK: Running

  /// The outputs, each lazily, of one run: it begins with the first output that is asked for, of whichever.
  ///
  /// Each of them is taken by one loop; a second one throws an ``InvalidOption``. For another run call this again.
  ///
  /// - Parameters:
  ///   - order: In which order outputs come.
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is.
  public func outputs(
    order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) -> (repeat OutputSequence<each Output, Pipeline<Input, each Output>>) where Input == Nothing {
    outputs(input: nil, order, pool, watch)
  }

  /// The outputs of the items, each lazily, of one run.
  ///
  /// - Parameters:
  ///   - items: What goes in.
  ///   - order: In which order outputs come.
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is.
  public func outputs<S: Sequence & Sendable>(
    of items: S, order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) -> (repeat OutputSequence<each Output, Pipeline<Input, each Output>>) where S.Element == Input {
    outputs(input: PipelineInput(items), order, pool, watch)
  }

  /// The outputs of the items, each lazily, as they arrive.
  ///
  /// - Parameters:
  ///   - items: What goes in.
  ///   - order: In which order outputs come.
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is.
  public func outputs<S: AsyncSequence & Sendable>(
    of items: S, order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) -> (repeat OutputSequence<each Output, Pipeline<Input, each Output>>) where S.Element == Input {
    outputs(input: PipelineInput(items), order, pool, watch)
  }

  private func outputs(
    input: PipelineInput?, _ order: MapOptions.Order, _ pool: WorkerPool?, _ watch: ProgressStyle
  ) -> (repeat OutputSequence<each Output, Pipeline<Input, each Output>>) {
    let blueprint = Blueprint(nodes)
    let run = ForkedRun(count: nodes.count) { consumers in
      var start = PipelineStart(blueprint, order: order, on: pool, input: input, consumers: consumers, watch: watch)
      return try start.begin()
    }
    var last = -1
    func next() -> ForkedRun.Seat {
      last += 1
      return ForkedRun.Seat(run, last)
    }
    return (repeat sequence(of: Pipeline<Input, each Output>.self, from: next(), isTagged: blueprint.carriesMeta))
  }
}

private func sequence<Input, Output>(
  of type: Pipeline<Input, Output>.Type, from seat: ForkedRun.Seat, isTagged: Bool
) -> OutputSequence<Output, Pipeline<Input, Output>> {
  OutputSequence {
    PipelineCursor(isTagged: isTagged, output: seat.output, for: seat.consumer) { _ in try await seat.take() }
  }
}
