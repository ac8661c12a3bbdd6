/// Nodes with numbers, and edges between them: what can be asked of the shape of a pipeline, whatever its stages are.
package struct DirectedGraph {
  /// A node stands among its edges more than once, so there is no order in which it could run.
  package struct Cycle: Error, Hashable, CustomStringConvertible {
    /// The nodes of the circle, in its order.
    package let nodes: [Int]
    package var description: String {
      "a circle: \((nodes + nodes.prefix(1)).map(String.init).joined(separator: " → "))"
    }
  }

  /// In the order in which they were added.
  package private(set) var nodes: [Int] = []
  private var children: [Int: [Int]] = [:]
  private var parents: [Int: [Int]] = [:]

  package init() {}

  package init(edges: [(Int, Int)]) throws {
    for (from, to) in edges { try connect(from, to) }
  }

  package mutating func add(_ node: Int) {
    if children[node] != nil { return }
    nodes.append(node)
    children[node] = []
    parents[node] = []
  }

  /// Adds an edge, with its nodes; throws if it would close a circle.
  package mutating func connect(_ from: Int, _ to: Int) throws {
    if let path = path(from: to, to: from) { throw Cycle(nodes: path) }
    add(from)
    add(to)
    children[from]!.append(to)
    parents[to]!.append(from)
  }

  /// In the order in which the edges were added.
  package func children(of node: Int) -> [Int] { children[node] ?? [] }
  package func parents(of node: Int) -> [Int] { parents[node] ?? [] }

  package var sources: [Int] { nodes.filter { parents(of: $0).isEmpty } }
  package var sinks: [Int] { nodes.filter { children(of: $0).isEmpty } }

  /// What is reached from a node, each behind all that it leads to.
  package func depthFirst(from node: Int) -> [Int] {
    var seen: Set<Int> = []
    var order: [Int] = []
    func visit(_ node: Int) {
      guard seen.insert(node).inserted else { return }
      for child in children(of: node) { visit(child) }
      order.append(node)
    }
    visit(node)
    return order
  }

  /// Every node behind all that lead to it, branch by branch in the order in which edges were added.
  package var topologicalOrder: [Int] {
    var seen: Set<Int> = []
    var order: [Int] = []
    func visit(_ node: Int) {
      guard seen.insert(node).inserted else { return }
      for parent in parents(of: node) { visit(parent) }
      order.append(node)
    }
    for node in nodes { visit(node) }
    return order
  }

  /// How many edges there are at most before each node.
  package var depths: [Int: Int] {
    var depths: [Int: Int] = [:]
    for node in topologicalOrder { depths[node] = (parents(of: node).map { depths[$0]! }.max() ?? -1) + 1 }
    return depths
  }

  /// The depths, counted from the deepest: what is needed last has rank 0.
  package var ranks: [Int: Int] {
    let depths = depths
    let deepest = depths.values.max() ?? 0
    return depths.mapValues { deepest - $0 }
  }

  /// How many nodes there are of each rank.
  package var widths: [Int: Int] { Dictionary(grouping: ranks.values, by: { $0 }).mapValues(\.count) }

  private func path(from: Int, to: Int) -> [Int]? {
    if from == to { return [from] }
    for child in children(of: from) { if let rest = path(from: child, to: to) { return [from] + rest } }
    return nil
  }
}
