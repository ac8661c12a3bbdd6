/// What stands between an input and an output: a stage, a chain of them, or a graph. A value; running it is something else.
///
/// ```swift
/// let pipeline = Pipeline { Items(1...5); Map { (number: Int) in number + 10 }; Batched(2) }
/// ```
///
/// Stages that do not fit do not compile. There are three ways to write one, which are the same value: a builder whose lines are stages,
/// chaining (`.map`, `.filter`, …), and flows (``graph(_:)``), where what is used twice is a fork.
public struct Pipeline<Input: Sendable, Output: Sendable>: Sendable {
  let inlet: PipelineNode
  let node: PipelineNode

  init(inlet: PipelineNode, node: PipelineNode) {
    self.inlet = inlet
    self.node = node
  }

  /// By a builder: each line is a stage, and takes what the one before it gives.
  ///
  /// The only initializer that takes a closure: with a second one, the compiler's errors name neither line nor types.
  public init(@PipelineBuilder _ build: () -> Pipeline) { self = build() }

  /// By flows: a graph.
  public static func graph(_ build: (Flow<Input>) -> Flow<Output>) -> Pipeline {
    let inlet = PipelineNode.inlet(Input.self)
    return Pipeline(inlet: inlet, node: MarkedGraph.resolved([build(Flow(node: inlet)).node], from: inlet)[0])
  }

  /// One stage.
  init(_ work: PipelineNode.Work, _ name: String) {
    inlet = PipelineNode.inlet(Input.self)
    node = PipelineNode(work, name, [inlet], ItemsOf<Output>())
  }

  /// Its end, if it is put behind something.
  func applied(to upstream: PipelineNode, in group: PipelineNode.Group? = nil) -> PipelineNode {
    var copier = NodeCopier(inlet, by: upstream, in: group)
    return copier.copy(node)
  }

  func then<Next>(_ next: Pipeline<Output, Next>) -> Pipeline<Input, Next> {
    Pipeline<Input, Next>(inlet: inlet, node: next.applied(to: node))
  }

  /// In a group of its own.
  func grouped(
    _ options: StageOptions, width: Int? = nil, title: String? = nil, refusal: InvalidOption? = nil
  ) -> Pipeline {
    let group = PipelineNode.Group(options: options, width: width, title: title, refusal: refusal)
    return Pipeline(inlet: inlet, node: applied(to: inlet, in: group))
  }

  /// How often its input is used: more than once, and it begins with a fork.
  var inputUses: Int {
    var (uses, seen, next) = (node === inlet ? 1 : 0, Set<ObjectIdentifier>(), [node])
    while let each = next.popLast() {
      guard seen.insert(ObjectIdentifier(each)).inserted else { continue }
      uses += each.inputs.count { $0 === inlet }
      next += each.inputs
    }
    return uses
  }

  /// What stands before it has these options.
  public func options(_ options: StageOptions) -> Pipeline { grouped(options) }
}

/// No input: the pipeline begins with a source.
public enum Nothing: Sendable {}
