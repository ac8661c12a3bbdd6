import Millrace
import Testing

@Suite("Progress: a line of any width")
struct ProgressLineTests {
  private let pages = ProgressState(
    name: "pages", unit: "files", done: 41, failed: 1, retried: 3, total: 100, elapsed: .seconds(75), rate: 12.3,
    remaining: .seconds(83))

  @Test(
    "as much as there is room for",
    arguments: [
      (9, "pag…  42%"), (20, "pages  42%"), (24, "pages  42% 42/100 files"), (33, "pages  42% 42/100 files 1 failed"),
      (43, "pages  42% 42/100 files 1 failed 1:23 left"),
      (60, "pages  42% ━━───── 42/100 files 1 failed 12/s 1:15 1:23 left"),
      (80, "pages  42% ━━━━━━━────────── 42/100 files 1 failed 3 retried 12/s 1:15 1:23 left"),
      (90, "pages  42% ━━━━━━━━━━━──────────────── 42/100 files 1 failed 3 retried 12/s 1:15 1:23 left"),
    ])
  func widths(columns: Int, expected: String) {
    let text = ProgressLine().text(pages, columns: columns)
    #expect(text == expected)
    #expect(text.displayWidth <= columns)
  }

  @Test(
    "no width is too small for it, and no name too wide",
    arguments: [
      "", "pages", "ページを読む", "👩‍👩‍👧‍👦 familles", "e\u{301}e\u{301}e\u{301}",
      "a very long name of a map that nobody can read at once",
      "two\nlines \u{1B}[31m and a command\u{7}",
    ])
  func anyWidth(name: String) {
    var states = [pages, ProgressState(), ProgressState(done: 3), ProgressState(total: 0, phase: .complete)]
    states += [ProgressState(done: 1, total: 3, phase: .failed), ProgressState(done: 1, phase: .cancelled)]
    for var state in states {
      state.name = name
      for columns in 1...120 {
        for line in [ProgressLine(), ProgressLine(isCompact: true, isUnicode: false)] {
          let text = line.text(state, columns: columns)
          #expect(text.displayWidth <= columns, "\(columns): \(text)")
          #expect(!text.contains("\n") && !text.contains("\u{1B}") && !text.contains("\u{7}"))
        }
        let coloured = ProgressLine(hasColour: true).text(state, columns: columns)
        #expect(coloured.isEmpty || !coloured.hasSuffix("\u{1B}"))
      }
    }
  }

  @Test("M15: percentages from 0 to 100, and 100 only when nothing is left")
  func percentages() {
    func percent(_ finished: Int, of total: Int) -> Int? { ProgressState(done: finished, total: total).percent }
    #expect(percent(0, of: 13) == 0)
    #expect(percent(13, of: 13) == 100)
    #expect(percent(999_999, of: 1_000_000) == 99)
    #expect(percent(.max - 1, of: .max) == 99)
    #expect(percent(20, of: 13) == 100)
    #expect(percent(0, of: 0) == 100)
    #expect(ProgressState(done: 5).percent == nil)
    #expect(ProgressState(done: 20, total: 13).fraction == 1)
    #expect(ProgressLine().text(ProgressState(total: 13), columns: 60).hasPrefix("  0% ─"))
    let whole = ProgressLine().text(ProgressState(done: 13, total: 13, phase: .complete), columns: 60)
    #expect(whole.hasPrefix("100% ━") && whole.contains(" 13/13 ") && !whole.contains("─"))
  }

  @Test("how a map has ended stands at the end of its line, whatever room there is")
  func ends() {
    for (phase, word) in [(ProgressState.Phase.failed, "failed"), (.cancelled, "cancelled")] {
      let state = ProgressState(name: "pages", done: 1, failed: 1, total: 4, elapsed: .seconds(3), phase: phase)
      #expect(ProgressLine().text(state, columns: 60).hasSuffix(" 2/4 1 failed 0:03 \(word)"))
      #expect(ProgressLine().text(state, columns: 11 + word.count) == "pages  50% \(word)")
      #expect(ProgressLine.log(state) == "pages  50% 2/4 1 failed 0:03 \(word)")
      #expect(ProgressLine.json(state).hasSuffix("\"phase\":\"\(word)\"}"))
    }
    let coloured = ProgressLine(hasColour: true).text(ProgressState(done: 1, total: 4, phase: .failed), columns: 60)
    #expect(coloured.hasSuffix("\u{1B}[31mfailed\u{1B}[0m"))
  }

  @Test("a terminal without Unicode has bars of ASCII; colours are only where they are wanted")
  func glyphs() {
    let state = ProgressState(done: 1, failed: 1, total: 4)
    #expect(ProgressLine(isUnicode: false).text(state, columns: 40) == " 50% ########--------- 2/4 1 failed 0:00")
    let coloured = ProgressLine(isUnicode: false, hasColour: true).text(state, columns: 40)
    #expect(coloured.contains("\u{1B}[32m########\u{1B}[2m---------\u{1B}[0m"))
    #expect(coloured.contains("\u{1B}[31m1 failed\u{1B}[0m"))
  }

  @Test("a log has all of it, a program JSON")
  func otherForms() {
    #expect(ProgressLine.log(pages) == "pages  42% 42/100 files 1 failed 3 retried 12/s 1:15 1:23 left")
    var over = pages
    (over.phase, over.done, over.remaining) = (.complete, 99, nil)
    #expect(ProgressLine.log(over) == "pages 100% 100/100 files 1 failed 3 retried 12/s 1:15 done")
    over.name = "a \"b\"\n\u{1}"
    #expect(
      ProgressLine.json(over)
        == #"{"name":"a \"b\"\n\u0001","unit":"files","done":99,"failed":1,"retried":3,"total":100,"elapsed":75.000,"rate":12.300,"remaining":null,"phase":"complete"}"#
    )
  }

  @Test("what is said besides stands behind the name, and in a field of its own of JSON")
  func detail() {
    let stage = ProgressState(name: "video: Scale", detail: "×2 97 % (bottleneck)", done: 7)
    #expect(ProgressLine.log(stage) == "video: Scale ×2 97 % (bottleneck) 7 0:00")
    #expect(ProgressLine.json(stage).hasPrefix(#"{"name":"video: Scale","detail":"×2 97 % (bottleneck)","unit":"#))
    #expect(ProgressLine().text(stage, columns: 20).hasPrefix("video: Scale"))
  }

  @Test(
    "the columns that text takes",
    arguments: [
      ("abc", 3), ("日本", 4), ("é", 1), ("e\u{301}", 1), ("👩‍👩‍👧‍👦", 2), ("🇩🇪", 2), ("❤️", 2), ("한글", 4), ("ﾊﾝ", 2), ("ＡＢ", 4),
      ("", 0),
      ("━─…", 3),
    ])
  func displayWidth(text: String, columns: Int) {
    #expect(text.displayWidth == columns)
  }
}
