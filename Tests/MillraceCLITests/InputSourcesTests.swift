#if CLI
import Foundation
import Testing

@testable import MillraceCLI

@Suite struct InputSourcesTests {
  private func rows(_ words: String, columns: String? = nil) throws -> [String] {
    let (_, sources) = InputSources.split(words.split(separator: " ").map { Bytes($0.utf8) }, files: [])
    let format = InputFormat(columns: try columns.map { try ColumnSeparator($0) })
    return try InputCursor(sources, format).map { row in
      row.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "-")
    }
  }

  @Test(
    "Sources multiply in GNU parallel's order; linked ones go in step",
    arguments: [
      ("c ::: a b", ["a", "b"]),
      ("c ::: a b ::: c d", ["a-c", "a-d", "b-c", "b-d"]),
      ("c ::: a b ::: c d :::+ e f", ["a-c-e", "a-d-f", "b-c-e", "b-d-f"]),
      ("c ::: a b c :::+ d e", ["a-d", "b-e"]),
      ("c ::: a b ::: c :::+ d e ::: x y", ["a-c-d-x", "a-c-d-y", "b-c-d-x", "b-c-d-y"]),
      ("c ::: a b :::", ["a-", "b-"]),
      ("c ::: ::: a", ["-a"]),
      ("c :::", []),
      ("c ::::", []),
    ])
  func product(words: String, expected: [String]) throws {
    #expect(try rows(words) == expected)
  }

  @Test(arguments: [
    (",", "c ::: a,b c,d,e", ["a-b", "c-d-e"]), (",", "c ::: a,b ::: c,d", ["a-b-c-d"]),
    ("[,;]+", "c ::: a,;b", ["a-b"]),
    ("\\d", "c ::: a1b2", ["a-b-"]), ("\\.", "c ::: a.b", ["a-b"]), ("x*", "c ::: ab", ["ab"]),
    ("^a", "c ::: aab", ["-ab"]),
  ])
  func columns(separator: String, words: String, expected: [String]) throws {
    #expect(try rows(words, columns: separator) == expected)
  }

  @Test("U221: more jobs than can be counted are refused where they are counted") func tooMany() throws {
    let list = [InputSources.Source.values((1...8000).map { Bytes("\($0)".utf8) })]
    #expect(try InputCursor(InputSources(groups: [list, list, list]), InputFormat()).total() == 512_000_000_000)
    for count in [5, 6] {
      let cursor = try InputCursor(InputSources(groups: Array(repeating: list, count: count)), InputFormat())
      #expect(throws: UsageError.self) { try cursor.total() }
    }
  }

  @Test func standardInputWithoutSources() {
    #expect(InputSources.split([Bytes("wc".utf8)], files: []).sources.groups == [[.standardInput]])
    #expect(InputSources.split([], files: [Bytes("-".utf8)]).sources.groups == [[.standardInput]])
  }

  @Test func anyBytesThroughTheArgumentParser() {
    for bytes: Bytes in [
      [0xFF, 0x61, 0xC3], Bytes("ä\u{10FF80}".utf8), Bytes("\u{10FFFF}".utf8), [], Array(1...255),
    ] {
      #expect(ArgumentBytes.bytes(from: ArgumentBytes.string(from: bytes)) == bytes)
    }
  }

  @Test("U30: --halt with a percentage counts a file beside its reading", arguments: ["a\nb\nc", "a\nb\nc\n"])
  func total(text: String) throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("lines")
    try Data(text.utf8).write(to: file)
    for (words, linked, expected) in [
      (":::: F", false, 3), ("::: 1 2 :::: F", false, 6), (":::: F ::: 1 2", false, 6), (":::: F :::+ 1 2", false, 2),
      (":::: F ::: 1 2", true, 3), (":::: F :::: F", true, 3), ("::: 1 :::: /dev/null", false, 1),
    ] {
      let words = words.replacing("F", with: file.path).split(separator: " ").map { Bytes($0.utf8) }
      let (_, sources) = InputSources.split(words, files: [], linked: linked)
      let cursor = try InputCursor(sources, InputFormat())
      #expect(try cursor.total() == expected)
      #expect(Array(cursor).count == expected, "nothing was read by counting")
    }
    // What is no file is read to be counted, and comes all the same.
    let blank = try InputCursor(InputSources(groups: [[.file(Bytes(file.path.utf8))]]), InputFormat(skipsBlank: true))
    #expect(try blank.total() == 3)
    #expect(Array(blank).map { String(decoding: $0[0], as: UTF8.self) } == ["a", "b", "c"])
  }
}
#endif
