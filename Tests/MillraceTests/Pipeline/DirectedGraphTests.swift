import Millrace
import Testing

@Suite struct DirectedGraphTests {
  private let edges = [(1, 2), (3, 4), (5, 6), (1, 3), (1, 5), (1, 6), (2, 5)]

  @Test("I24 depth first, and ranks")
  func i24() throws {
    let graph = try DirectedGraph(edges: edges)
    #expect(graph.depthFirst(from: 1) == [6, 5, 2, 4, 3, 1])
    #expect(graph.ranks == [1: 3, 2: 2, 3: 2, 4: 1, 5: 1, 6: 0])
    #expect(graph.widths == [3: 1, 2: 2, 1: 2, 0: 1])
    #expect(graph.sources == [1] && graph.sinks == [4, 6])
    #expect(graph.topologicalOrder == [1, 2, 3, 4, 5, 6])
  }

  @Test("I19 a circle is refused, and named")
  func i19() throws {
    var graph = try DirectedGraph(edges: edges)
    let circle = #expect(throws: DirectedGraph.Cycle.self) { try graph.connect(6, 1) }
    #expect(circle?.nodes == [1, 2, 5, 6])
    #expect(circle?.description == "a circle: 1 → 2 → 5 → 6 → 1")
  }
}
