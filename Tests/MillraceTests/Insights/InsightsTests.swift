import Foundation
import Millrace
import Testing

@Suite("Insights: where the time went")
struct InsightsTests {
  /// MPIRE's own example.
  private func mpire() -> InsightsScript {
    var script = InsightsScript()
    let first = script.open(startUp: 0.1, setUp: 0.11)
    let second = script.open(startUp: 0.2, setUp: 0.22)
    script.pass(first, 0.4)
    script.pass(second, 0.3)
    for seconds in [1, 2, 6] { script.work(first, Double(seconds)) }
    script.work(first, items: 330, 33)
    script.work(second, 0.8)
    script.work(second, items: 1_000, 36.2)
    script.tearDown(first, 0.33)
    script.tearDown(second, 0.44)
    return script
  }

  @Test("M16: totals, ratio, mean, deviation, the five longest")
  func report() throws {
    let insights = mpire().insights
    let times = insights.total.times
    #expect(times.startUp == .milliseconds(300) && times.setUp == .milliseconds(330))
    #expect(
      times.waiting == .milliseconds(700) && times.working == .seconds(79) && times.tearDown == .milliseconds(770))
    #expect(InsightsText.format(times.total) == "0:01:21.100")
    #expect(abs(times.workingRatio! - 79 / 81.1) < 1e-9)
    // MPIRE's *_ratio, *_mean and *_std.
    let ratios = try #require(insights.ratios)
    for (ratio, seconds) in [
      (ratios.startUp, 0.3), (ratios.setUp, 0.33), (ratios.waiting, 0.7), (ratios.working, 79), (ratios.tearDown, 0.77),
    ] {
      #expect(abs(ratio - seconds / 81.1) < 1e-9)
    }
    #expect(insights.mean.startUp == .milliseconds(150) && insights.mean.working == .milliseconds(39_500))
    #expect(insights.deviation.setUp == .milliseconds(55) && insights.deviation.working == .milliseconds(2_500))
    #expect(insights.deviation.waiting == .milliseconds(50) && insights.mean.tearDown == .milliseconds(385))
    let nothing = InsightsScript().insights
    #expect(nothing.ratios == nil && nothing.mean.total == .zero && nothing.deviation.total == .zero)
    #expect(
      insights.longest.map(\.elapsed) == [
        .seconds(6), .seconds(2), .seconds(1), .milliseconds(800), .milliseconds(100),
      ])
    #expect(insights.longest.map(\.indices) == [2..<3, 1..<2, 0..<1, 333..<334, 3..<333])
    // The first item's, where there are several.
    #expect(insights.longest.map(\.input) == ["20", "10", "0", "3330", "30"])
    #expect(insights.slots.map(\.items) == [333, 1_001])
    #expect(insights.total.bytesIn == 600 && insights.total.bytesOut == 240)
    #expect(insights.total.peakMemory == 5_000_000)
    #expect(insights.description.hasSuffix("\nbytes: sent 600B, received 240B, resident at most 5.0MB"))
    let rows = insights.description.split(separator: "\n").map { $0.split(separator: " ") }
    // slot, items, and then the five times.
    #expect(rows.first { $0[0] == "mean" }?[4] == "0:00:39.500")
    #expect(rows.first { $0[0] == "dev" }?[4] == "0:00:02.500")
    #expect(rows.first { $0[0] == "all" }?[5] == "0:01:19.000")
    #expect(rows.first { $0[0] == "%" }?[4] == "97.4")
    #expect(!insights.isInefficient && insights.hint == nil)
    #expect(!insights.description.contains("Efficiency"))
  }

  @Test(
    "M16: times as MPIRE writes them",
    arguments: [
      (0, "0:00:00"), (1.337, "0:00:01.337"), (123456.789, "1 day, 10:17:36.789"), (59.9996, "0:01:00"),
      (259_200, "3 days, 0:00:00"),
    ])
  func formats(seconds: Double, expected: String) {
    #expect(InsightsText.format(.seconds(seconds)) == expected)
  }

  @Test("M16: nothing was recorded, and nothing is there")
  func off() throws {
    let pool = try WorkerPool(.threads(1))
    #expect(pool.insights.isEmpty && pool.timelineSVG() == nil && pool.observerCount == 0)
    #expect(pool.insights.description.hasPrefix("no insights"))
  }

  @Test("it fits 80 columns, whatever the numbers are")
  func widths() {
    var script = InsightsScript()
    for _ in 0..<40 {
      let slot = script.open(startUp: 3_000_000, setUp: 0.001)
      script.work(slot, items: 9_999_999, 350_000)
      script.end(slot, .died(.exited(code: 1)))
      script.start(slot, replaces: true)
    }
    let text = script.insights.description
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(text)")
    #expect(text.contains("... and 8 more"))
  }

  @Test("workers that are begun again, by what had become of the last; and the time of what they were at")
  func restarts() {
    var script = InsightsScript()
    let slot = script.open()
    script.give(slot)
    script.pass(slot, 2)
    script.end(slot, .died(.exited(code: 1)))
    script.start(slot, replaces: true)
    script.give(slot)
    script.pass(slot, 3)
    let late = KillReason.timedOut(chunk: 2, index: 1, limit: 3_000_000_000)
    script.tell(slot, .workerKilled(slot: slot, generation: 2, late))
    script.end(slot, .killed(late))
    script.start(slot, replaces: true)
    script.tell(slot, .workerStopping(slot: slot, generation: 3, isReplaced: true))
    script.end(slot, .ended)
    script.start(slot, replaces: true)
    let total = script.insights.total
    #expect(total.restarts.crash == 1 && total.restarts.timeout == 1 && total.restarts.lifespan == 1)
    #expect(total.restarts.other == 0 && total.crashes == 1)
    #expect(total.times.working == .seconds(5) && total.times.waiting == .zero)
    typealias Mark = Timeline.Mark
    #expect(
      script.timeline.marks == [
        Mark(kind: .crash, slot: 0, time: 2_000_000_000), Mark(kind: .restart, slot: 0, time: 2_000_000_000),
        Mark(kind: .timeout, slot: 0, time: 5_000_000_000), Mark(kind: .restart, slot: 0, time: 5_000_000_000),
        Mark(kind: .restart, slot: 0, time: 5_000_000_000),
      ])
  }

  @Test("U256: what was done before a map no slot has run")
  func restored() {
    var script = InsightsScript()
    let slot = script.open()
    script.tell(slot, .itemsDone(JobID(1), items: 0..<900, slot: 0, attempt: 0))
    let failure = ItemFailure(index: 900, slot: 0, attempt: 0, cause: .timedOut(limit: .seconds(1)))
    script.tell(slot, .itemFailed(JobID(1), failure))
    script.work(slot, 1)
    #expect(script.insights.total.items == 1 && script.insights.total.failed == 0)
  }

  @Test("in the middle of an item its time counts already")
  func live() {
    var script = InsightsScript()
    let slot = script.open()
    script.pass(slot, 1)
    script.give(slot)
    #expect(script.fold.insights(at: 4_000_000_000).total.times.working == .seconds(3))
    #expect(script.fold.insights(at: 4_000_000_000).total.times.waiting == .seconds(1))
  }

  @Test("U240: of an item only as much is made text as is shown, and that reads as the whole would")
  func brief() {
    func check(_ value: Any) {
      let whole = "\(value)"
      #expect(BriefText.of(value, most: 20) == String(whole.prefix(20)) && BriefText.of(value, most: 100_000) == whole)
    }
    check("text")
    check(String(repeating: "text ", count: 100))
    check([Float](repeating: 1.5, count: 1_000))
    check([["a", "b\n"], [], ["c"]])
    check(ArraySlice([1, 2, 3]))
    check(ContiguousArray([UInt8](repeating: 7, count: 50)))
    check(Set([5]))
    check(["key": [1, 2]])
    check([Int: Int]())
    check([Int]())
    check(Optional([1]) as Any)
    check((1, "two"))
    check(3..<10)
    // In a moment, where the whole takes seconds.
    var made = 0
    _ = BriefText.of((0..<1_000_000).map { Counted(number: $0) { made += 1 } }, most: 200)
    #expect(made < 1_000)
  }

  private struct Counted: CustomStringConvertible {
    let number: Int
    let count: () -> Void
    var description: String {
      count()
      return "\(number)"
    }
  }

  @Test("U72: of the longest items the table has times that can be read, and what they are")
  func longestInWords() {
    var script = InsightsScript()
    let slot = script.open()
    script.work(slot, 0.000_012)
    script.work(slot, 0.1)
    let lines = script.insights.description.split(separator: "\n").filter { $0.hasPrefix("longest") }
    #expect(
      lines == ["longest: 100 ms, item 1 of map 1, in slot 0: 10", "longest: 12 us, item 0 of map 1, in slot 0: 0"])
    var insights = script.insights
    insights.longest[0].input = "two\nlines\u{1B}[1m"
    #expect(!insights.description.contains("\u{1B}") && insights.description.contains("longest: 100 ms"))
  }

  private static func hint(_ body: (inout InsightsScript) -> Void) -> String? {
    var script = InsightsScript()
    body(&script)
    return script.insights.hint
  }

  @Test("U346: places in a queue may wait: only what keeps workers from working is warned of")
  func places() throws {
    var script = InsightsScript(slotsAreQueuePlaces: true)
    let slots = [script.open(), script.open()]
    for _ in 0..<10 {
      for slot in slots {
        script.pass(slot, 0.1)
        script.work(slot, 0.1)
      }
    }
    let insights = script.insights
    #expect(!insights.isInefficient && insights.hint == nil && insights.slotsAreQueuePlaces)
    #expect(abs((insights.ratios?.waiting ?? 0) - 0.5) < 0.01, "what was is told as it was")
    #expect(!insights.description.contains("Efficiency") && !insights.description.contains("Hint"))
    let coded = try JSONDecoder().decode(Insights.self, from: JSONEncoder().encode(insights))
    #expect(coded == insights && coded.slotsAreQueuePlaces)
    var late = InsightsScript(slotsAreQueuePlaces: true)
    let slot = late.open(startUp: 1, setUp: 5)
    late.work(slot, 2)
    #expect(late.insights.isInefficient && late.insights.hint?.contains("set-up") == true)
  }

  @Test("a hint says what could be done")
  func hints() throws {
    let start = Self.hint {
      let slot = $0.open(startUp: 1, setUp: 5)
      $0.work(slot, 2)
    }
    #expect(start?.contains("set-up") == true)
    let end = Self.hint {
      let slot = $0.open()
      $0.work(slot, 2)
      $0.tearDown(slot, 5)
    }
    #expect(end?.contains("tear-down") == true)
    let tail = Self.hint {
      let slots = [$0.open(), $0.open()]
      $0.work(slots[0], 10)
      $0.work(slots[1], 0.1)
    }
    #expect(tail?.contains("one item") == true)
    let small = Self.hint {
      let slot = $0.open()
      for _ in 0..<100 {
        $0.work(slot, 0.000_010)
        $0.pass(slot, 0.000_040)
      }
    }
    #expect(small?.contains("larger") == true)
    let input = Self.hint {
      let slot = $0.open()
      for _ in 0..<100 {
        $0.work(slot, 0.010)
        $0.pass(slot, 0.040)
      }
    }
    #expect(input?.contains("wait for input") == true)
    let lost = Self.hint {
      let slots = [$0.open(startUp: 2), $0.open(startUp: 2)]
      for slot in slots {
        $0.give(slot)
        $0.end(slot, .died(.exited(code: 1)))
        $0.start(slot, replaces: true)
        $0.work(slot, 0.1)
      }
    }
    #expect(lost == "2 workers were lost with what they were at: see the failures first")
    let shortLived = Self.hint {
      let slot = $0.open(startUp: 1)
      for generation in 1...4 {
        $0.work(slot, 0.1)
        $0.tell(slot, .workerStopping(slot: slot, generation: generation, isReplaced: true))
        $0.end(slot, .ended)
        $0.start(slot, replaces: true)
        $0.pass(slot, 1)
      }
    }
    #expect(shortLived?.contains("live longer") == true || shortLived?.contains("wait for input") == true)
    let busy = Self.hint {
      let slot = $0.open()
      $0.work(slot, 1)
    }
    #expect(busy == nil)
    var poor = InsightsScript()
    let slot = poor.open(setUp: 1)
    poor.work(slot, 1)
    #expect(poor.insights.description.contains("Efficiency warning: working ratio is < 80%!\nHint: "))
  }

  @Test("it travels as JSON, times as seconds, with the form's version")
  func coding() throws {
    let insights = mpire().insights
    let data = try JSONEncoder().encode(insights)
    #expect(try JSONDecoder().decode(Insights.self, from: data) == insights)
    let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(json["version"] as? Int == 1)
    let slots = try #require(json["slots"] as? [[String: Any]])
    #expect((slots[0]["times"] as? [String: Double])?["working"] == 42)
    #expect(
      Set(json.keys) == ["version", "elapsed", "slots", "items", "longest", "ratios", "mean", "deviation"])
    #expect((json["mean"] as? [String: Double])?["working"] == 39.5)
    #expect((json["deviation"] as? [String: Double])?["working"] == 2.5)
    #expect(abs(try #require((json["ratios"] as? [String: Double])?["working"]) - 79 / 81.1) < 1e-9)
    // What an earlier release has written.
    let old = json.filter { !["ratios", "mean", "deviation"].contains($0.key) }
    let read = try JSONDecoder().decode(Insights.self, from: JSONSerialization.data(withJSONObject: old))
    #expect(read.slots == insights.slots && read.mean == insights.mean && read.ratios == insights.ratios)
  }

  @Test("quantiles are right to three percent")
  func quantiles() {
    var histogram = DurationHistogram()
    var values: [UInt64] = []
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<10_000 {
      let value =
        UInt64(1) << UInt64.random(in: 0..<50, using: &generator) + UInt64.random(in: 0..<1_000, using: &generator)
      values.append(value)
      histogram.add(value)
    }
    values.sort()
    for part in [0.01, 0.5, 0.9, 0.99, 1] {
      let exact = Double(values[Int((part * 10_000).rounded(.up)) - 1])
      let found = histogram.quantile(part)!
      #expect(abs(found - exact) <= 0.032 * exact + 1, "\(part): \(found), not \(exact)")
    }
    var few = DurationHistogram()
    few.add(.max)
    few.add(0, count: 0)
    #expect(few.count == 1 && few.quantile(0.5)! > 1.7e19)
    #expect(DurationHistogram().quantile(0.5) == nil && DurationHistogram().mean == nil)
  }
}
