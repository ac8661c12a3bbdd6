import Millrace
import MillraceTesting
import Testing

/// PaPy's graph, by its own tests (`test_graph`): nodes are numbers here, and an edge is in one direction.
@Suite struct DirectedGraphTests {
  private let edges = [(1, 2), (3, 4), (5, 6), (1, 3), (1, 5), (1, 6), (2, 5)]

  @Test("I24 depth first")
  func depthFirst() throws {
    let graph = try DirectedGraph(edges: edges)
    #expect(graph.depthFirst(from: 1) == [6, 5, 2, 4, 3, 1])
    #expect(graph.depthFirst(from: 4) == [4] && graph.depthFirst(from: 2) == [6, 5, 2])
    #expect(graph.sources == [1] && graph.sinks == [4, 6])
    #expect(graph.topologicalOrder == [1, 2, 3, 4, 5, 6])
  }

  @Test("I24 ranks: how far it is to the end; and how many nodes are of each")
  func ranks() throws {
    let graph = try DirectedGraph(edges: [(1, 2), (3, 4), (5, 6), (1, 5), (1, 6), (2, 5), (4, 6)])
    #expect(graph.ranks == [1: 3, 2: 2, 3: 2, 4: 1, 5: 1, 6: 0])
    #expect(graph.rankWidths == [3: 1, 2: 2, 1: 2, 0: 1])
    #expect(graph.nodeWidths == [1: 3, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1])
    let line = try DirectedGraph(edges: [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (1, 6)])
    #expect(line.ranks == [1: 5, 2: 4, 3: 3, 4: 2, 5: 1, 6: 0])
    let two = try DirectedGraph(edges: [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (1, 7), (7, 6)])
    #expect(two.rankWidths == [0: 1, 1: 2, 2: 1, 3: 1, 4: 1, 5: 1])
    let four = try DirectedGraph(edges: [(1, 2), (1, 3), (1, 4), (1, 5), (5, 7), (7, 6), (2, 6), (3, 6), (4, 6)])
    #expect(four.rankWidths == [0: 1, 1: 4, 2: 1, 3: 1] && four.nodeWidths[1] == 4)
    // A node that leads to a short end and is close to the beginning is no further from that end.
    #expect(try DirectedGraph(edges: edges).ranks == [1: 3, 2: 2, 3: 1, 4: 0, 5: 1, 6: 0])
  }

  @Test(
    "I24 postorder with branch keys",
    arguments: [
      ([(2, 1), (3, 1), (4, 3), (5, 3), (6, 4), (7, 4), (6, 5)], [2: "C", 3: "D", 4: "A", 5: "B", 7: "0", 6: "1"]),
      ([(2, 1), (3, 1), (4, 3), (5, 3), (6, 4), (7, 4), (6, 7), (6, 5)], [2: "C", 3: "D", 4: "A", 5: "B"]),
      ([(2, 1), (3, 1), (4, 3), (5, 3), (7, 4), (6, 7), (6, 5)], [2: "C", 3: "D", 4: "A", 5: "B"]),
    ])
  func branches(edges: [(Int, Int)], keys: [Int: String]) throws {
    #expect(try DirectedGraph(edges: edges).postorder(branches: keys) == [1, 2, 3, 4, 7, 5, 6])
  }

  @Test("I24 postorder without keys: each behind all that it leads to, and close to them")
  func postorder() throws {
    let tree = try DirectedGraph(edges: [(1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (5, 7), (1, 8), (8, 9), (8, 10)])
    #expect(tree.postorder == [4, 3, 2, 6, 7, 5, 9, 10, 8, 1])
    // `j`, `k` and `z` are 10, 11 and 12.
    let long = try DirectedGraph(edges: [(1, 8), (8, 11), (1, 10), (10, 3), (3, 12)])
    #expect(long.postorder == [11, 8, 12, 3, 10, 1])
    let merging = try DirectedGraph(edges: [(2, 1), (3, 1), (4, 3), (5, 3)])
    #expect(merging.postorder == [1, 3, 5, 4, 2])
    var lone = try DirectedGraph(edges: [(1, 2)])
    lone.add(3)
    #expect(lone.postorder == [2, 1, 3])
  }

  @Test("I24 postorder, ranks and widths of random graphs are what their definitions say")
  func random() throws {
    for seed: UInt64 in 0..<200 {
      var random = SimulatedRandom(seed: seed)
      var graph = DirectedGraph()
      let count = Int.random(in: 1...12, using: &random)
      for node in (0..<count).shuffled(using: &random) { graph.add(node) }
      for _ in 0..<Int.random(in: 0...2 * count, using: &random) {
        let (one, other) = (Int.random(in: 0..<count, using: &random), Int.random(in: 0..<count, using: &random))
        if one != other { try graph.connect(min(one, other), max(one, other)) }
      }
      func rank(_ node: Int) -> Int { (graph.children(of: node).map(rank).max() ?? -1) + 1 }
      func ways(_ node: Int) -> Int { max(1, graph.children(of: node).map(ways).reduce(0, +)) }
      let keys = Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, Int.random(in: 0...3, using: &random)) })
      for order in [graph.postorder, graph.postorder(branches: keys)] {
        #expect(order.sorted() == Array(0..<count))
        for (place, node) in order.enumerated() {
          #expect(graph.children(of: node).allSatisfy { order[..<place].contains($0) })
        }
      }
      for node in 0..<count {
        #expect(graph.ranks[node] == rank(node) && graph.nodeWidths[node] == ways(node))
        let child = graph.children(of: node).first
        var less = graph
        let isLess = less.disconnect(node, child ?? node)
        #expect(isLess == (child != nil))
        #expect(less.edges.count == graph.edges.filter { $0.from != node || $0.to != child }.count)
        var without = graph
        let removals = [without.remove(node), without.remove(node)]
        #expect(removals == [true, false] && !without.nodes.contains(node))
        #expect(without.edges.allSatisfy { $0.from != node && $0.to != node })
        #expect(
          without.edges.map { [$0.from, $0.to] }
            == graph.edges.filter { $0.from != node && $0.to != node }.map { [$0.from, $0.to] })
        #expect(without.nodes.allSatisfy { !without.parents(of: $0).contains(node) })
      }
    }
  }

  @Test("I24 nodes and edges are taken out; what is not there is not")
  func deletion() throws {
    // sum2, pwr and dbl are 1, 2 and 3.
    var graph = try DirectedGraph(edges: [(1, 2), (1, 3), (3, 2)])
    var removals = [graph.remove(2)]
    #expect(graph.nodes == [1, 3] && graph.children(of: 1) == [3] && graph.children(of: 3).isEmpty)
    removals += [graph.remove(3), graph.remove(2)]
    #expect(graph.nodes == [1] && graph.edges.isEmpty)
    removals.append(graph.remove(1))
    #expect(removals == [true, true, false, true] && graph.nodes.isEmpty)
    try graph.connect(1, 2)
    let cuts = [graph.disconnect(1, 2), graph.disconnect(1, 2), graph.disconnect(7, 8)]
    #expect(cuts == [true, false, false])
    #expect(graph.nodes == [1, 2] && graph.edges.isEmpty && graph.sources == [1, 2] && graph.sinks == [1, 2])
    // Its edge is gone, and so the circle that it would have closed is none.
    try graph.connect(2, 1)
    #expect(graph.edges.map { [$0.from, $0.to] } == [[2, 1]])
  }

  @Test("I19 a circle is refused, and named")
  func i19() throws {
    var graph = try DirectedGraph(edges: edges)
    let circle = #expect(throws: DirectedGraph.Cycle.self) { try graph.connect(6, 1) }
    #expect(circle?.nodes == [1, 2, 5, 6])
    #expect(circle?.description == "a circle: 1 → 2 → 5 → 6 → 1")
  }
}
