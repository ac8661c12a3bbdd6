#if CLI
import Foundation
import Testing

/// The command as a user runs it.
@Suite(.timeLimit(.minutes(1))) struct MapCommandTests {
  static let nasty = [
    "", " ", "a b", "it's", "\"x\"", "$HOME", "`id`", "\\", "a\\b", "-n", "--help", "*", "~", "#", "!x", "a;b", "&",
    "ä€😀",
    "tab\there", "new\nline", "\n", "{}", "{.}", "a=b", "(", "|", "x\r",
  ]

  @Test(
    "F65 every value arrives as it is",
    arguments: ["printf '%s\\0'", "/usr/bin/printf %s\\\\0", "sh -c 'printf \"%s\\0\" \"$1\"' sh"])
  func nastyValues(command: String) throws {
    let input = Data(Self.nasty.joined(separator: "\0").utf8) + Data([0])
    let result = try Tool.shell("$M -0 -k \"$C\"", input: input, environment: ["C": command])
    #expect(result.output == input)
    #expect(result.exitCode == 0)
  }

  @Test func directlyStartedProgramsGetExactArguments() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let program = folder.appendingPathComponent("show").path
    let input = Data(Self.nasty.joined(separator: "\0").utf8) + Data([0])
    // Another process writes the program: a descriptor of ours could be in a sibling that just starts, and the file busy.
    let script = """
      printf '%s\\n' '#!/bin/sh' 'printf "%s\\0" "$@"' > $P; chmod +x $P
      $M -0 -k $P {}
      """
    let result = try Tool.shell(script, input: input, environment: ["P": program])
    #expect(result.error.isEmpty)
    #expect(result.output == input)
  }

  @Test func bytesThatAreNoText() throws {
    let result = try Tool.shell(
      #"$M -k 'printf %s {}; echo' ::: "$(printf 'a\377b')" "$(printf '\303')" | od -An -tx1"#)
    #expect(
      result.text.split(separator: " ").joined(separator: " ").trimmingCharacters(in: .newlines)
        == "61 ff 62 0a c3 0a")
    let lines = try Tool.shell("$M -k cat ::: /dev/null; $M /usr/bin/printf %s", input: Data([0xFF, 0xFE, 0x0A]))
    #expect(lines.output == Data([0xFF, 0xFE]))
  }

  @Test("F65 long values", arguments: [100_000, 131_072, 300_000])
  func longValues(size: Int) throws {
    let value = String(repeating: "x y'", count: size / 4)
    let result = try Tool.map("printf %s {}", input: value + "\n")
    #expect(result.text == value)
    #expect(result.exitCode == 0)
  }

  @Test func largeOutputIsWholeAndInOrder() throws {
    let script =
      "$M -k -j4 'seq {} 400000' ::: 1 2 3 4 | cksum; (seq 1 400000; seq 2 400000; seq 3 400000; seq 4 400000) | cksum"
    let result = try Tool.shell(script)
    #expect(result.lines.count == 2)
    #expect(result.lines.first == result.lines.last)
  }

  /// A file system of its own, which only the run sees.
  @Test(
    "F59 the file system for large outputs is full", .timeLimit(.minutes(1)),
    .enabled("user namespaces are not allowed here") {
      try Tool.shell("unshare -Urm true").exitCode == 0
    })
  func fullFileSystem() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let result = try Tool.shell(
      """
      exec unshare -Urm sh -c 'mount -t tmpfs -o size=1m none "$F" && TMPDIR="$F" $M -k "seq {} 3000000" ::: 1 2; echo $?'
      """, environment: ["F": folder.path])
    #expect(result.text == "2\n", "none of what is not whole")
    let errors = result.error.split(separator: "\n")
    #expect(errors.count == 2)
    for line in errors { #expect(line.contains("No space left on device") && line.contains(folder.path)) }
  }

  @Test func outputsDoNotMix() throws {
    let result = try Tool.map(
      "-j4", "for i in 1 2 3 4 5 6 7 8; do echo {}; done", input: (1...40).map { "\($0)\n" }.joined())
    let lines = result.lines
    #expect(lines.count == 320)
    for start in stride(from: 0, to: lines.count, by: 8) { #expect(Set(lines[start..<(start + 8)]).count == 1) }
  }

  @Test func order() throws {
    #expect(try Tool.map("-k", "-j3", "sleep {}; echo {}", ":::", "0.3", "0", "0.1").lines == ["0.3", "0", "0.1"])
    #expect(try Tool.map("-j2", "sleep {}; echo {}", ":::", "0.5", "0").lines == ["0", "0.5"])
  }

  @Test func tagGoesBeforeEachLine() throws {
    let result = try Tool.map("-k", "--tag", "printf 'a\\nb'; echo e{3} >&2", ":::", "x", ":::", "y", "z")
    #expect(result.text == "x y\ta\nx y\tbx z\ta\nx z\tb")
    #expect(result.error == "x y\te\nx z\te\n")
  }

  @Test func dryRunRunsNothing() throws {
    let result = try Tool.map("-k", "--dry-run", "exit 1; echo {}", ":::", "a b", "c")
    #expect(result.lines == ["exit 1; echo 'a b'", "exit 1; echo c"])
    #expect(result.exitCode == 0)
  }

  @Test("Exit code counts failed jobs", arguments: [(0, 0), (1, 1), (100, 100), (101, 101), (150, 101)])
  func exitCode(failures: Int, expected: Int32) throws {
    #expect(try Tool.map("false", input: String(repeating: "x\n", count: failures)).exitCode == expected)
  }

  @Test func programThatIsNotThere() throws {
    let result = try Tool.shell("$M no-such-program ::: 1; $M --halt now,fail=1 no-such-program ::: 1; echo $?")
    #expect(result.lines == ["127"])
    #expect(result.error.contains("no-such-program: command not found"))
  }

  @Test func halt() throws {
    let fail = try Tool.map("-j1", "--halt", "soon,fail=1", "echo {}; exit {}", ":::", "0", "3", "2")
    #expect(fail.lines == ["0", "3"])
    #expect(fail.exitCode == 3)
    let success = try Tool.map("-j1", "--halt", "now,success=1", "echo {}; exit {}", ":::", "3", "0", "2")
    #expect(success.lines == ["3", "0"])
    #expect(success.exitCode == 0)
    let start = ContinuousClock.now
    let now = try Tool.map("-j2", "--halt", "now,fail=1", "sleep {}; echo {}; exit 5", ":::", "0", "1000")
    #expect(now.lines == ["0"])
    #expect(now.exitCode == 5)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test func haltSoonLetsRunningJobsFinish() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    // The first fails when the second runs; the second goes on until the log has the first.
    let result = try Tool.shell(
      """
      mkfifo $D/a
      $M -j2 --joblog $D/log --halt soon,fail=1 ::: 'read x < $D/a; exit 4' \\
        'echo > $D/a; until grep -q exit $D/log; do sleep 0.01; done; echo b' 'echo c'
      """, environment: ["D": folder.path])
    #expect(result.lines == ["b"])
    #expect(result.exitCode == 4)
  }

  @Test func retries() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("tries").path
    let result = try Tool.map(
      "--retries", "3", "echo x >> \(file); echo {}; test $(wc -l < \(file)) -ge 3", ":::", "a")
    #expect(result.lines == ["a"])
    #expect(result.exitCode == 0)
    let never = try Tool.map("-j1", "--retries", "3", "echo {} >> \(file); false", ":::", "b")
    #expect(never.exitCode == 1)
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "x\nx\nx\nb\nb\nb\n")
  }

  @Test func jobLog() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("log").path
    _ = try Tool.map("-j1", "--joblog", file, "echo a{}; test {} = 1 || kill -9 $$", ":::", "1", "2")
    let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map {
      $0.split(separator: "\t")
    }
    #expect(
      lines[0] == ["Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal", "Command"])
    #expect(
      lines[1][0] == "1" && lines[1][5...7] == ["3", "0", "0"] && lines[1][8] == "echo a1; test 1 = 1 || kill -9 $$")
    #expect(lines[2][0] == "2" && lines[2][5...7] == ["3", "0", "9"])
    #expect(lines.count == 3)
  }

  @Test func jobsKnowTheirNumberAndReadNothing() throws {
    let result = try Tool.shell("echo typed | $M -k -j1 'echo $PARALLEL_SEQ $PARALLEL_JOBSLOT {#} {%}; cat' ::: a b")
    #expect(result.lines == ["1 1 1 1", "2 1 2 1"])
  }

  @Test(
    "Wrong command lines get one line and 64",
    arguments: [
      ["--bogus", "echo"], ["-j", "x", "echo"], ["-u", "-k", "echo"], ["--retries", "0", "echo"],
      ["--halt", "x", "echo"],
      ["--timeout", "0", "echo"], ["--colsep", "(", "echo"], ["-j"], ["-u", "--tag", "echo"],
    ])
  func usage(arguments: [String]) throws {
    let line = arguments.map { "'\($0)'" }.joined(separator: " ")
    let result = try Tool.shell("$M \(line) ::: 1")
    #expect(result.exitCode == 64)
    #expect(result.error.hasPrefix("millrace: ") && result.error.split(separator: "\n").count == 1)
    #expect(result.text.isEmpty)
  }

  @Test func missingInputIsAnotherError() throws {
    let result = try Tool.map("-a", "/no/such/file", "echo")
    #expect(result.exitCode == 255)
    #expect(result.error == "millrace: cannot open '/no/such/file': No such file or directory\n")
  }

  @Test func inputThatComesSlowly() throws {
    let result = try Tool.shell(
      "(echo a; sleep 0.3; printf b) | $M --line-buffer -j1 'echo {} >&2; echo {}' | head -1")
    #expect(result.text == "a\n")
  }

  @Test func version() throws {
    let version = try Tool.shell("\(Tool.path) --version")
    #expect(version.exitCode == 0 && version.text.hasPrefix("millrace "))
  }

  @Test func helpAndCompletions() throws {
    let help = try Tool.map("--help")
    #expect(help.exitCode == 0)
    #expect(help.text.contains("--keep-order") && help.text.contains("Examples:"))
    let script = try Tool.shell("\(Tool.path) --generate-completion-script bash | bash -n")
    #expect(script.exitCode == 0 && script.error.isEmpty)
  }
}
#endif
