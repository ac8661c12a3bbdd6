/// A graph of flows of which some say what options all have that stands before them: the steps get them, each once, however many flows
/// go on from it; so a fork stays one.
struct MarkedGraph {
  private let inlet: PipelineNode
  /// Of each step the marks behind it, the nearest first.
  private var marks: [ObjectIdentifier: [PipelineNode]] = [:]
  private var copies: [ObjectIdentifier: PipelineNode] = [:]
  /// A group for each list of marks, and for each group inside of one.
  private var groups: [[ObjectIdentifier]: PipelineNode.Group] = [:]

  /// The ends of a graph, without marks.
  static func resolved(_ ends: [PipelineNode], from inlet: PipelineNode) -> [PipelineNode] {
    var graph = MarkedGraph(inlet: inlet)
    var (seen, all): (Set<ObjectIdentifier>, [PipelineNode]) = ([], [])
    func visit(_ node: PipelineNode) {
      guard seen.insert(ObjectIdentifier(node)).inserted else { return }
      for input in node.inputs { visit(input) }
      if node.marks != nil { all.append(node) }
    }
    for end in ends { visit(end) }
    guard !all.isEmpty else { return ends }
    for mark in all { graph.note(mark) }
    return ends.map { graph.copy($0) }
  }

  private init(inlet: PipelineNode) { self.inlet = inlet }

  /// Those that stand before it are in its group, around the groups of those marks that are before it.
  private mutating func note(_ mark: PipelineNode) {
    var (next, seen) = (mark.inputs, Set<ObjectIdentifier>())
    while let node = next.popLast() {
      guard node !== inlet, seen.insert(ObjectIdentifier(node)).inserted else { continue }
      marks[ObjectIdentifier(node), default: []].append(mark)
      next += node.inputs
    }
  }

  private mutating func copy(_ node: PipelineNode) -> PipelineNode {
    if node === inlet { return node }
    if node.marks != nil { return copy(node.inputs[0]) }
    if let copy = copies[ObjectIdentifier(node)] { return copy }
    var inputs: [PipelineNode] = []
    for input in node.inputs { inputs.append(copy(input)) }
    let outer = group(marks[ObjectIdentifier(node)] ?? [])
    let made = PipelineNode(
      node.work, node.name, inputs, node.kind, group: wrapped(node.group, in: outer), isTee: node.isTee)
    copies[ObjectIdentifier(node)] = made
    return made
  }

  private mutating func group(_ marks: [PipelineNode]) -> PipelineNode.Group? {
    guard let first = marks.first else { return nil }
    let key = marks.map(ObjectIdentifier.init)
    if let known = groups[key] { return known }
    let made = PipelineNode.Group(options: first.marks!, width: nil, outer: group(Array(marks.dropFirst())))
    groups[key] = made
    return made
  }

  private mutating func wrapped(
    _ inner: PipelineNode.Group?, in outer: PipelineNode.Group?
  ) -> PipelineNode.Group? {
    guard let inner, let outer else { return inner ?? outer }
    let key = [ObjectIdentifier(inner), ObjectIdentifier(outer)]
    if let known = groups[key] { return known }
    let made = inner.inside(wrapped(inner.outer, in: outer))
    groups[key] = made
    return made
  }
}
