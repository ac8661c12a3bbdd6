#if CLI
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

  @Test(arguments: [
    (["map", "-kj4", "x", "-kj4"], ["map", "-k", "-j4", "x", "-kj4"]),
    (["map", "-a", "-kj4", "-0ka", "f", "x"], ["map", "-a", "-kj4", "-0", "-k", "-a", "f", "x"]),
    (["map", "--halt", "-1", "-kj", "2", "x"], ["map", "--halt", "-1", "-k", "-j", "2", "x"]),
    (["map", "--", "-kj4"], ["map", "--", "-kj4"]),
    (["help", "-kj4"], ["help", "-kj4"]),
  ])
  func shortOptionsTogether(arguments: [String], expected: [String]) {
    #expect(ShortOptions.separated(arguments) == expected)
  }
}
#endif
