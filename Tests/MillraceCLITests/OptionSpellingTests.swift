#if CLI
import Testing

@testable import MillraceCLI

@Suite struct OptionSpellingTests {
  @Test(
    "Short options together, and values apart",
    arguments: [
      (["map", "-kj4", "x", "-kj4"], ["map", "-k", "-j", "4", "x", "-kj4"]),
      (["map", "-a", "-kj4", "-0ka", "f", "x"], ["map", "-a", "-kj4", "-0", "-k", "-a", "f", "x"]),
      (["map", "--halt", "-1", "-kj", "2", "x"], ["map", "--halt", "-1", "-k", "-j", "2", "x"]),
      (["map", "--timeout=2", "--", "-kj4"], ["map", "--timeout", "2", "--", "-kj4"]),
      (["help", "-kj4"], ["help", "-kj4"]),
      (["map", "-j"], ["map", "-j"]),
    ])
  func together(arguments: [String], expected: [String]) throws {
    #expect(try OptionSpelling.canonical(arguments) == expected)
  }

  @Test(
    "U29: GNU parallel's names are taken",
    arguments: [
      (["-P", "3"], ["-j", "3"]), (["-kP3"], ["-k", "-j", "3"]), (["--max-procs", "50%"], ["--jobs", "50%"]),
      (["--max-procs=3"], ["--jobs", "3"]), (["--dryrun"], ["--dry-run"]), (["--linebuffer"], ["--line-buffer"]),
      (["--keeporder"], ["--keep-order"]), (["--halt-on-error", "2"], ["--halt", "2"]),
      (["--halt-on-error=2"], ["--halt", "2"]), (["-r"], ["-r"]), (["--no-run-if-empty"], ["--no-run-if-empty"]),
      (["--will-cite", "--no-notice", "--gnu", "-k"], ["-k"]), (["--link"], ["--link"]), (["--xapply"], ["--link"]),
      (["--willcite", "--nonotice", "--nn", "-k"], ["-k"]), (["-V"], ["--version"]),
      (["-n1", "-N", "1", "--max-args=1", "-k"], ["-k"]),
    ])
  func spellings(arguments: [String], expected: [String]) throws {
    #expect(try OptionSpelling.canonical(["map"] + arguments + ["echo"]) == ["map"] + expected + ["echo"])
  }

  @Test(
    "U28: a value is a value, though it is empty, or stands behind its option",
    arguments: [
      ("--joblog=", ["--joblog", ""]), ("--timeout=", ["--timeout", ""]), ("-kaf", ["-k", "-a", "f"]),
      ("-C,", ["-C", ","]), ("-C=", ["-C", "="]),
    ])
  func values(option: String, expected: [String]) throws {
    #expect(try OptionSpelling.canonical(["map", option, "echo"]) == ["map"] + expected + ["echo"])
  }

  @Test(
    "U29: what is not known is refused, with what was perhaps meant",
    arguments: [
      ("--joblgo", "unknown option '--joblgo'; did you mean --joblog?"), ("--keep", "did you mean --keep-order?"),
      ("--retires=3", "did you mean --retries?"), ("-joblog", "unknown option"), ("-kx", "option '-x'"),
      ("--pipe", "GNU parallel's option '--pipe' is not supported"), ("-X", "GNU parallel's option '-X'"),
      ("--no-such-thing", "unknown option '--no-such-thing' (see"), ("-n2", "-n 2: a job takes one value"),
      ("--é", "unknown option '--é'"),
      ("--spreadstdin", "GNU parallel's option '--spreadstdin'"), ("--ll", "GNU parallel's option '--ll'"),
    ])
  func unknown(option: String, expected: String) throws {
    if option == "-joblog" {
      // The value of -j, as it always was.
      #expect(try OptionSpelling.canonical(["map", option]) == ["map", "-j", "oblog"])
      return
    }
    let error = #expect(throws: UsageError.self) { try OptionSpelling.canonical(["map", option, "echo"]) }
    #expect(error?.description.contains(expected) == true)
  }

  @Test(
    "U28: options of $PARALLEL stand before the others",
    arguments: [
      ("", []), ("-k  -j1", ["-k", "-j", "1"]), ("--colsep '[ ,]' --tag", ["--colsep", "[ ,]", "--tag"]),
      (#"-C \t --joblog "a b""#, ["-C", "t", "--joblog", "a b"]), ("--will-cite", []),
    ])
  func variable(text: String, expected: [String]) throws {
    #expect(try OptionSpelling.canonical(["map", "-q", "x"], variable: text) == ["map"] + expected + ["-q", "x"])
  }

  @Test(
    "U28, U224: what $PARALLEL holds and is no option, or none with its value, is refused",
    arguments: ["8", "-k echo", "--bogus", "-k 'x", "--joblog", "-kj", "-n"])
  func wrongVariable(text: String) {
    let error = #expect(throws: UsageError.self) {
      try OptionSpelling.canonical(["map", "echo"], variable: text)
    }
    #expect(error?.description.hasPrefix("$PARALLEL: ") == true)
  }
}
#endif
