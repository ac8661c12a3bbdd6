import Foundation
import Millrace
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

@Suite("Insights: the timeline")
struct TimelineTests {
  @Test("however long it goes on, it is as large, and nothing of it is lost")
  func bounds() {
    var timeline = Timeline(from: 1_000)
    var expected = [Double](repeating: 0, count: 5)
    var time: UInt64 = 1_000
    for round in 0..<20_000 as Range<UInt64> {
      let activity = Timeline.Activity.allCases[Int(round % 5)]
      let length = 1_000 + round * round % 77_777
      timeline.add(activity, slot: 3, from: time, to: time + length)
      expected[activity.rawValue] += Double(length)
      time += length
    }
    #expect(timeline.pieces(of: 3).count <= 256 && timeline.slotCount == 4)
    #expect(timeline.pieces(of: 0).isEmpty && timeline.pieces(of: 9).isEmpty)
    for kind in 0..<5 {
      let found = timeline.pieces(of: 3).reduce(0) { $0 + Double($1[kind]) } * Double(timeline.step)
      #expect(abs(found - expected[kind]) < expected[kind] / 1_000)
    }
    #expect(timeline.pieces(of: 3).dropLast().allSatisfy { abs($0.reduce(0, +) - 1) < 0.01 })
    timeline.add(.working, slot: 1_000, from: time, to: time + 1)
    #expect(timeline.slotCount == 4)
  }

  @Test("many restarts leave room for the crashes")
  func manyMarks() {
    var timeline = Timeline(from: 0)
    for time in 1...1_000 as ClosedRange<UInt64> { timeline.mark(.restart, slot: 0, at: time) }
    timeline.mark(.crash, slot: 1, at: 1_001)
    #expect(timeline.marks.count == 201 && timeline.marks.last?.kind == .crash)
  }

  @Test("the picture is XML, has a row for each slot, and says when one crashed")
  func picture() throws {
    var script = InsightsScript()
    for number in 0..<3 {
      let slot = script.open(startUp: 0.1, setUp: 0.2)
      for _ in 0..<200 {
        script.work(slot, Double(number + 1) / 1_000)
        script.pass(slot, 0.0005)
      }
    }
    script.end(1, .died(.exited(code: 1)))
    script.start(1, replaces: true)
    script.end(2, .killed(.timedOut(chunk: 1, index: 1, limit: 5)))
    let svg = script.timeline.svg()
    let parser = XMLParser(data: Data(svg.utf8))
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    #expect(svg.components(separatedBy: "class=\"ground\"").count == 4)
    #expect(svg.contains("slot 1 crashed after 800 ms") && svg.contains("prefers-color-scheme:dark"))
    #expect(svg.contains("slot 1 was begun again after 800 ms"))
    #expect(svg.contains("slot 2 took too long, and was ended, after 1.0 s"))
    // Of each one mark, and one in the legend.
    for name in ["crash", "timeout", "restart"] {
      #expect(svg.components(separatedBy: "<path class=\"\(name)\"").count == 3 && svg.contains(">\(name)</text>"))
    }
    for name in ["startUp", "setUp", "working", "waiting"] { #expect(svg.contains("<rect class=\"\(name)\"")) }
    #expect(!svg.contains("nan") && !svg.contains("inf") && svg.utf8.count < 200_000)
    #expect(Timeline(from: 5).svg().hasSuffix("</svg>"))
  }
}
