/// A pipeline as a list of stages and edges: what the planner, the layout and the engine read.
package struct Blueprint: Sendable {
  /// A stage, with the places of those that it reads from.
  package struct Stage: Sendable {
    package let work: PipelineNode.Work
    /// Its name, or its options' one; numbered if several have it.
    package let name: String
    package let inputs: [Int]
    package let options: StageOptions
    /// How many instances it has, with slots of its own; nil: as the pipeline.
    package let width: Int?
    /// What it gives.
    package let kind: any ItemKind
    /// Stages of the same group share their slots; nil: those of the pipeline.
    package let group: Int?
    /// What is wrong with its group.
    let problem: InvalidOption?
    /// Whether it is a merge of items and of a branch in which the same items have nothing to give.
    let isTee: Bool

    /// Whether its items may run in any slot, in any order.
    package var isElastic: Bool {
      switch work {
      case .worker, .elastic: true
      case .inlet, .source, .stage, .choice, .gather, .merge, .join: false
      }
    }

    /// Whether each of its results is to have an outcome of its own behind it.
    package var makesSeveral: Bool { if case .elastic(let stage) = work { stage is any ManyResults } else { false } }

    /// Whether each of its items goes on by itself, when it is done.
    var isPaced: Bool { if case .stage(let stage) = work { stage is any PacedStage } else { false } }

    /// Whether it makes one of several, in their order.
    var gathers: Bool { if case .stage(let stage) = work { stage is any GatheringStage } else { false } }

    /// Whether it makes one of each item at most: then it is known of each that it leaves out.
    package var makesOneAtMost: Bool {
      if case .elastic(let stage) = work { return !(stage is any ManyResults) }
      return makesOneOfOne
    }

    /// Whether it makes one of each item, whatever it is.
    package var makesOneOfOne: Bool {
      switch work {
      case .worker: true
      case .stage(let stage): stage is any OneOfOne
      case .inlet, .source, .elastic, .choice, .gather, .merge, .join: false
      }
    }
  }

  /// Each behind those that it reads from, branch by branch, as they were written.
  package let stages: [Stage]
  package let graph: DirectedGraph
  /// Whose items come out: one, but of a pipeline with several outputs.
  package let outputs: [Int]

  package init<Input, Output>(_ pipeline: Pipeline<Input, Output>) { self.init([pipeline.node]) }

  init(_ ends: [PipelineNode]) {
    var nodes: [PipelineNode] = []
    var places: [ObjectIdentifier: Int] = [:]
    func visit(_ node: PipelineNode) {
      if places[ObjectIdentifier(node)] != nil { return }
      for input in node.inputs { visit(input) }
      places[ObjectIdentifier(node)] = nodes.count
      nodes.append(node)
    }
    for end in ends { visit(end) }
    var groups: [ObjectIdentifier: Int] = [:]
    var names = Names()
    // A name that is given to what stands before it is not that of the source, unless there is nothing else.
    let named = Set(
      nodes.filter { if case .source = $0.work { false } else { true } }.compactMap {
        $0.group.map(ObjectIdentifier.init)
      })
    var graph = DirectedGraph()
    stages = nodes.map { node in
      let inputs = node.inputs.map { places[ObjectIdentifier($0)]! }
      let group = node.group.map { group in
        groups[ObjectIdentifier(group), default: groups.count]
      }
      if let own = node.group, let group { groups[ObjectIdentifier(own)] = group }
      let options = node.group?.resolved ?? StageOptions()
      var given = options.name
      if case .source = node.work, let own = node.group, named.contains(ObjectIdentifier(own)) { given = nil }
      return Stage(
        work: node.work, name: names.unique(given ?? node.name), inputs: inputs, options: options,
        width: node.group?.resolvedWidth, kind: node.kind, group: group,
        problem: node.group?.problem, isTee: node.isTee)
    }
    for place in nodes.indices {
      graph.add(place)
      // A value cannot hold itself, so there is no circle.
      for input in stages[place].inputs { try! graph.connect(input, place) }
    }
    self.graph = graph
    outputs = ends.map { places[ObjectIdentifier($0)]! }
  }

  init(stages: [Stage], graph: DirectedGraph, outputs: [Int]) {
    self.stages = stages
    self.graph = graph
    self.outputs = outputs
  }

  /// The side channels into which its stages put, each once.
  var channels: [any SideUse] {
    var known: Set<ObjectIdentifier> = []
    return stages.flatMap(\.options.channels).filter { known.insert(ObjectIdentifier($0)).inserted }
  }

  /// The stages from which items come to this one, itself among them.
  func origins(of stage: Int) -> Set<Int> {
    var (found, next): (Set<Int>, [Int]) = ([], [stage])
    while let place = next.popLast() { if found.insert(place).inserted { next += stages[place].inputs } }
    return found
  }

  package func readers(_ stage: Int) -> [Int] { graph.children(of: stage) }
}

extension PipelineNode.Group {
  /// With what it inherits. A name is its own alone.
  var resolved: StageOptions {
    var outer = outer?.resolved ?? StageOptions()
    outer.name = nil
    return options.inheriting(outer)
  }

  var resolvedWidth: Int? { width ?? outer?.resolvedWidth }
}

/// Tells stages of one name apart: `Resize`, `Resize 2`, ….
private struct Names {
  private var counts: [String: Int] = [:]

  mutating func unique(_ name: String) -> String {
    counts[name, default: 0] += 1
    let count = counts[name]!
    return count == 1 ? name : "\(name) \(count)"
  }
}
