import MillraceIPC
import Testing

@testable import Millrace

@Suite("How a range is shared out", .timeLimit(.minutes(1)))
struct ParallelJobTests {
  @Test func aRangeIsCutAtEitherEnd() {
    var range = LaneRange(10, 20)
    #expect(LaneRange(word: range.word) == range)
    #expect(range.cut(3, fromBack: false) == LaneRange(10, 13))
    #expect(range.cut(2, fromBack: true) == LaneRange(18, 20))
    #expect(range.cutHalf(ownerAtBack: false) == LaneRange(15, 18))
    #expect(range.cutHalf(ownerAtBack: true) == LaneRange(13, 14))
    #expect(range == LaneRange(14, 15))
    #expect(range.cutHalf(ownerAtBack: false) == LaneRange(14, 15))
    #expect(range.isEmpty && range.count == 0)
    var full = LaneRange(0, .max)
    #expect(full.cut(.max, fromBack: false) == LaneRange(0, .max) && full.isEmpty)
  }

  @Test func paceFollowsTheClock() {
    var pace = Pace(fixed: nil, mayTurn: true)
    pace.begin()
    #expect(pace.size(remaining: 1000) == 1)
    pace.measured(units: 1, nanoseconds: 10)
    #expect(pace.size(remaining: 1000) == 8)
    pace.measured(units: 8, nanoseconds: 80)
    pace.measured(units: 64, nanoseconds: 640)
    pace.measured(units: 512, nanoseconds: 5120)
    #expect(pace.size(remaining: 1_000_000) == 2000)
    #expect(pace.size(remaining: 30) == 15 && pace.size(remaining: 1) == 1)
    #expect(!pace.fromBack)
    pace.measured(units: 2000, nanoseconds: 20e6)
    #expect(pace.size(remaining: 1_000_000) == 2)
  }

  @Test func paceTurnsToTheCostlierEnd() {
    for (back, turned) in [(90_000.0, true), (31_000, false), (1000, false)] {
      var pace = Pace(fixed: nil, mayTurn: true)
      pace.begin()
      pace.measured(units: 1, nanoseconds: 30_000)
      #expect(pace.fromBack)
      pace.measured(units: 1, nanoseconds: back)
      #expect(pace.fromBack == turned)
      pace.begin()
      #expect(!pace.fromBack)
    }
    var steady = Pace(fixed: nil, mayTurn: false)
    steady.begin()
    steady.measured(units: 1, nanoseconds: 30_000)
    #expect(!steady.fromBack)
  }

  /// Every index exactly once, by lanes that really contend, for all ways of cutting.
  @Test(arguments: [1, 2, 5], [nil, 1, 3, 1000] as [Int?])
  func allOnce(width: Int, grain: Int?) {
    let counters = Counters(4000)
    run(4000, width: width, grain: grain) { lower, upper in
      for index in lower..<upper { counters.add(at: index) }
      return true
    }
    #expect(counters.values.allSatisfy { $0 == 1 })
  }

  /// More items than a lane's word can count: in units of several items.
  @Test(arguments: [(1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 33) - 1, (1 << 40) + 12_345, Int.max])
  func beyond32Bits(count: Int) {
    let covered = Lock<[Range<Int>]>([])
    run(count, width: 3, grain: count / 50) { lower, upper in
      covered.withLock { $0.append(lower..<upper) }
      return true
    }
    let ranges = covered.withLock { $0.sorted { $0.lowerBound < $1.lowerBound } }
    #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == count)
    #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
  }

  @Test func finishedRunsAreKeptOnRequest() {
    let plan = ParallelPlan(count: 100, width: 1, grain: 10, keepsRuns: true)
    var context = 0
    let finished = plan.run(lanes: 1, context: &context) { _, _, lower, _ in lower < 50 }
    #expect(finished == [0..<50])
    var runs: [Range<Int>] = []
    for range in [5..<7, 7..<9, 20..<22, 18..<20, 1..<3] { runs.append(joining: range) }
    #expect(runs == [5..<9, 18..<22, 1..<3])
  }

  private func run(_ count: Int, width: Int, grain: Int?, _ body: (Int, Int) -> Bool) {
    let plan = ParallelPlan(count: count, width: width, grain: grain)
    var context = 0
    withoutActuallyEscaping(body) { body in
      let finished = plan.run(lanes: plan.lanes, context: &context) { _, _, lower, upper in body(lower, upper) }
      #expect(finished == nil)
    }
  }

  @Test("U239: no width becomes memory before items do")
  func lanes() {
    #expect(ParallelPlan(count: 1 << 40, width: .max, grain: nil).lanes == 1_025)
    #expect(ParallelPlan(count: 3, width: .max, grain: nil).lanes == 3)
    #expect((0..<1_000_000).parallelMap(width: 1_000_000) { $0 & 1 }.reduce(0, +) == 500_000)
  }
}
