import Millrace
import MillraceTesting
import Testing

/// Groups of a pipeline as the balancer sees them: each takes so long for an item, and the slowest holds up all.
private struct Flow {
  var costs: [Double]
  var slots: [Int]
  private var busy: [Double]

  init(costs: [Double], slots: [Int]) {
    (self.costs, self.slots) = (costs, slots)
    busy = costs.map { _ in 0 }
  }

  /// Items a nanosecond, with so many slots.
  func rate(_ slots: [Int]) -> Double { zip(costs, slots).map { Double($1) / $0 }.min()! }

  /// Runs for a second; what is measured is up to a thirtieth off.
  mutating func run(_ random: inout SimulatedRandom) -> [Balancer.Part] {
    let rate = rate(slots)
    for place in costs.indices {
      let off = Double(Int.random(in: 970...1_030, using: &random)) / 1_000
      busy[place] += min(rate * costs[place] * off, Double(slots[place])) * 1e9
    }
    return zip(busy, slots).map { Balancer.Part(busy: UInt64($0), chunks: UInt64($0) / 1_000_000 + 1, slots: $1) }
  }
}

struct BalancerTests {
  @Test("from any widths and costs it comes to what is as good as the best, and stays there", arguments: 0..<500)
  func converges(seed: Int) {
    var random = SimulatedRandom(seed: UInt64(seed))
    let count = Int.random(in: 2...6, using: &random)
    let limit = Int.random(in: count...32, using: &random)
    var flow = Flow(
      costs: (0..<count).map { _ in Double(Int.random(in: 1...100, using: &random)) },
      slots: (0..<count).map { _ in Int.random(in: 1...8, using: &random) })
    let most = max(limit, flow.slots.reduce(0, +))
    var balancer = Balancer(limit: most, parts: count)
    for _ in 0..<2 {
      var changes: [Int] = []
      for look in 0..<120 {
        guard let widths = balancer.look(flow.run(&random), after: 1_000_000_000) else { continue }
        #expect(widths.reduce(0, +) <= most && widths.allSatisfy { $0 >= 1 } && widths != flow.slots)
        flow.slots = widths
        changes.append(look)
      }
      // It had got there long before.
      #expect(changes.count { $0 >= 60 } <= 1)
      // The best there is: each next slot to whoever is the slowest.
      var best = flow.costs.map { _ in 1 }
      while best.reduce(0, +) < most {
        best[best.indices.max { flow.costs[$0] / Double(best[$0]) < flow.costs[$1] / Double(best[$1]) }!] += 1
      }
      #expect(flow.rate(flow.slots) * Balancer.gain * 1.1 >= flow.rate(best))
      // Something else is slow now.
      flow.costs.shuffle(using: &random)
    }
  }

  @Test("who is not full, or not known yet, has nothing moved")
  func staysAsItIs() {
    var balancer = Balancer(limit: 4, parts: 2)
    // Half the time there was nothing to do.
    #expect(
      balancer.look([.init(busy: 500, chunks: 50, slots: 1), .init(busy: 100, chunks: 10, slots: 3)], after: 1_000)
        == nil)
    #expect(
      balancer.look([.init(busy: 1_000, chunks: 100, slots: 1), .init(busy: 200, chunks: 20, slots: 3)], after: 1_000)
        == nil)
    balancer = Balancer(limit: 4, parts: 2)
    // The second is at its first items still.
    let parts = [
      Balancer.Part(busy: 2_000, chunks: 200, slots: 2), Balancer.Part(busy: 0, chunks: 1, slots: 2, isUnknown: true),
    ]
    #expect(balancer.look(parts, after: 1_000) == nil)
    // A tenth is not worth it.
    balancer = Balancer(limit: 21, parts: 2)
    #expect(
      balancer.look(
        [.init(busy: 10_000, chunks: 1000, slots: 10), .init(busy: 10_300, chunks: 1030, slots: 11)], after: 1_000)
        == nil)
  }

  @Test("the slots of one that is over go to the others")
  func ends() {
    var balancer = Balancer(limit: 4, parts: 2)
    #expect(
      balancer.look(
        [.init(busy: 2_000, chunks: 200, slots: 2), .init(busy: 2_000, chunks: 200, slots: 2)], after: 1_000) == nil)
    let parts = [
      Balancer.Part(busy: 2_500, chunks: 250, slots: 2, isOver: true),
      Balancer.Part(busy: 6_000, chunks: 600, slots: 2),
    ]
    #expect(balancer.look(parts, after: 1_000) == [2, 3])
  }

  @Test("a slot is moved at a time, and of many several")
  func steps() {
    var balancer = Balancer(limit: 4, parts: 2)
    #expect(
      balancer.look([.init(busy: 1_000, chunks: 100, slots: 1), .init(busy: 100, chunks: 10, slots: 3)], after: 1_000)
        == [2, 2])
    balancer = Balancer(limit: 32, parts: 2)
    #expect(
      balancer.look(
        [.init(busy: 16_000, chunks: 1600, slots: 16), .init(busy: 1_600, chunks: 160, slots: 16)], after: 1_000) == [
          20, 12,
        ])
    // There were fewer than there may be.
    balancer = Balancer(limit: 4, parts: 2)
    #expect(
      balancer.look([.init(busy: 1_000, chunks: 100, slots: 1), .init(busy: 100, chunks: 10, slots: 1)], after: 1_000)
        == [2, 1])
  }

  @Test("slots that nobody has go to whoever needs them after a few items, however long those take")
  func spare() {
    let second = 1_000_000_000 as UInt64
    var balancer = Balancer(limit: 8, parts: 2)
    // The first has filled the edge, and waits; an item of the second takes a second and a half.
    var widths: [[Int]] = []
    for look in 1...6 {
      let done = UInt64(look) * 2 / 3 * 2
      let parts = [
        Balancer.Part(busy: 2 * second, chunks: 20, slots: 2),
        Balancer.Part(busy: done * second * 3 / 2, chunks: done, slots: 2, isUnknown: done == 0),
      ]
      if let moved = balancer.look(parts, after: second) { widths.append(moved) }
    }
    #expect(widths == [[2, 6]])
  }

  @Test("long items, which are seen when they are done, move nothing where all is right", arguments: 0..<200)
  func lumps(seed: Int) {
    var random = SimulatedRandom(seed: UInt64(seed))
    let (slots, second) = (Int.random(in: 1...16, using: &random), 1_000_000_000 as UInt64)
    let cost = UInt64.random(in: second / 10...30 * second, using: &random)
    // Each slot of the two groups is at an item all the time, and began some time or other.
    let begun = (0..<2 * slots).map { _ in UInt64.random(in: 0...cost, using: &random) }
    var balancer = Balancer(limit: 2 * slots, parts: 2)
    for look in 1...1_000 {
      let parts = [begun.prefix(slots), begun.suffix(slots)].map { begun in
        let done = begun.reduce(0) { $0 + (UInt64(look) * second > $1 ? (UInt64(look) * second - $1) / cost : 0) }
        return Balancer.Part(busy: done * cost, chunks: done, slots: slots, isUnknown: done == 0)
      }
      #expect(balancer.look(parts, after: second) == nil)
    }
  }
}
