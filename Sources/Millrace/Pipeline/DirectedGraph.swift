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

  /// Takes a node out, with all edges from it and to it. False: there was none of this number.
  @discardableResult
  package mutating func remove(_ node: Int) -> Bool {
    guard let behind = children.removeValue(forKey: node), let before = parents.removeValue(forKey: node) else {
      return false
    }
    nodes.removeAll { $0 == node }
    for child in behind { parents[child]?.removeAll { $0 == node } }
    for parent in before { children[parent]?.removeAll { $0 == node } }
    return true
  }

  /// Takes what edges there are from one node to the other out, and leaves the nodes. False: there were none.
  @discardableResult
  package mutating func disconnect(_ from: Int, _ to: Int) -> Bool {
    guard children(of: from).contains(to) else { return false }
    children[from]!.removeAll { $0 == to }
    parents[to]!.removeAll { $0 == from }
    return true
  }

  /// From each node to its children, in the order in which nodes were added, and then edges.
  package var edges: [(from: Int, to: Int)] { nodes.flatMap { node in children(of: node).map { (node, $0) } } }

  /// In the order in which the edges were added.
  package func children(of node: Int) -> [Int] { children[node] ?? [] }
  package func parents(of node: Int) -> [Int] { parents[node] ?? [] }

  package var sources: [Int] { nodes.filter { parents(of: $0).isEmpty } }
  package var sinks: [Int] { nodes.filter { children(of: $0).isEmpty } }

  /// What is reached from a node, each behind all that it leads to, and the node last.
  package func depthFirst(from node: Int) -> [Int] { depthFirst(from: [node]) { $0 } }

  private func depthFirst(from nodes: [Int], _ sorted: ([Int]) -> [Int]) -> [Int] {
    var seen: Set<Int> = []
    var order: [Int] = []
    func visit(_ node: Int) {
      guard seen.insert(node).inserted else { return }
      for child in sorted(children(of: node)) { visit(child) }
      order.append(node)
    }
    for node in nodes { visit(node) }
    return order
  }

  /// Every node behind all that it leads to, and as close behind the last of these as can be.
  ///
  /// - Parameter branches: Keys of nodes. Of those that lead to the same the smaller key comes first, and one without a key last; of
  ///   those that lead nowhere the larger one does, and so PaPy has it.
  package func postorder<Key: Comparable>(branches: [Int: Key]) -> [Int] {
    func sorted(_ nodes: [Int]) -> [Int] {
      let keyed = nodes.filter { branches[$0] != nil }.enumerated().sorted { one, other in
        let (key, next) = (branches[one.element]!, branches[other.element]!)
        return key == next ? one.offset < other.offset : key > next
      }
      return keyed.map(\.element) + nodes.filter { branches[$0] == nil }
    }
    var order: [Int] = []
    for node in depthFirst(from: sorted(nodes), sorted) {
      let last = order.lastIndex(where: Set(children(of: node)).contains)
      order.insert(node, at: last.map { $0 + 1 } ?? order.endIndex)
    }
    return order
  }

  /// Without keys: of nodes that lead to the same, the one that was added last comes first.
  package var postorder: [Int] { postorder(branches: [Int: Int]()) }

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

  /// How many edges there are at most behind each node: what leads nowhere has rank 0.
  package var ranks: [Int: Int] {
    var ranks: [Int: Int] = [:]
    for node in postorder { ranks[node] = (children(of: node).map { ranks[$0]! }.max() ?? -1) + 1 }
    return ranks
  }

  /// How many nodes there are of each rank.
  package var rankWidths: [Int: Int] { Dictionary(grouping: ranks.values, by: { $0 }).mapValues(\.count) }

  /// How many ways lead from each node to an end.
  package var nodeWidths: [Int: Int] {
    var widths: [Int: Int] = [:]
    for node in postorder { widths[node] = max(1, children(of: node).reduce(0) { $0 + widths[$1]! }) }
    return widths
  }

  private func path(from: Int, to: Int) -> [Int]? {
    if from == to { return [from] }
    for child in children(of: from) { if let rest = path(from: child, to: to) { return [from] + rest } }
    return nil
  }
}
