import Testing

@testable import Millrace

/// The sharing of a range in virtual time: the real ranges and the real pace, with lanes whose clocks advance by what items cost.
@Suite("How even the lanes end")
struct ParallelBalanceTests {
  /// 20,000 items whose costs are distributed by Pareto, capped at 24 ms; about 1.9 s in all.
  static let pareto: [Double] = {
    var state: UInt64 = 42
    return (0..<20_000).map { _ in
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      z ^= z >> 31
      return Double(min(15_000_000, (7500 << 32) / ((z >> 32) + 1))) * 1.6
    }
  }()

  @Test(arguments: [2, 4, 16])
  func irregularWork(lanes: Int) {
    let orders = [
      ("shuffled", Self.pareto), ("ascending", Self.pareto.sorted()), ("descending", Self.pareto.sorted(by: >)),
    ]
    for (name, costs) in orders {
      let efficiency = efficiency(costs, lanes: lanes)
      // On many lanes, a single item of 24 ms is a large part of each one's share.
      #expect(efficiency > (lanes == 2 ? 0.995 : lanes == 4 ? 0.99 : 0.9), "\(name) on \(lanes) lanes")
    }
  }

  @Test func costInOnePlace() {
    let step = Array(repeating: 10.0, count: 100_000) + Array(repeating: 1_000_000.0, count: 200)
    #expect(efficiency(step, lanes: 2) > 0.98)
    #expect(efficiency(step.reversed(), lanes: 2) > 0.98)
    #expect(efficiency(Array(repeating: 1.0, count: 1_000_000), lanes: 2) > 0.93)
  }

  /// The time of perfectly even lanes, divided by that of the lane that ends last.
  private func efficiency(_ costs: [Double], lanes: Int) -> Double {
    let sums = costs.reduce(into: [0.0]) { $0.append($0[$0.count - 1] + $1) }
    var ranges = Array(repeating: LaneRange(0, 0), count: lanes)
    ranges[0] = LaneRange(0, UInt32(costs.count))
    var paces = Array(repeating: Pace(fixed: nil, mayTurn: true), count: lanes)
    // A helper needs some 50 µs to come.
    var clocks = (0..<lanes).map { $0 == 0 ? 0.0 : 50_000.0 }
    var running = Set(0..<lanes)
    while let lane = running.min(by: { clocks[$0] < clocks[$1] }) {
      let piece: LaneRange
      if !ranges[lane].isEmpty {
        let size = paces[lane].size(remaining: ranges[lane].count)
        piece = ranges[lane].cut(size, fromBack: paces[lane].fromBack)
      } else if let victim = ranges.indices.max(by: { ranges[$0].count < ranges[$1].count }), !ranges[victim].isEmpty {
        ranges[lane] = ranges[victim].cutHalf(ownerAtBack: paces[victim].fromBack)
        paces[lane].begin()
        piece = ranges[lane].cut(paces[lane].size(remaining: ranges[lane].count), fromBack: false)
        clocks[lane] += 500
      } else {
        running.remove(lane)
        continue
      }
      let cost = sums[Int(piece.upper)] - sums[Int(piece.lower)]
      paces[lane].measured(units: piece.count, nanoseconds: cost)
      clocks[lane] += cost + 60
    }
    return sums[costs.count] / Double(lanes) / clocks.max()!
  }
}
