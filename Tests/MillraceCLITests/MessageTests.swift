#if CLI
import Foundation
import Testing

@testable import MillraceCLI

@Suite(.timeLimit(.minutes(1))) struct MessageTests {
  @Test("U29: a message holds one line, whatever the command is") func longCommands() throws {
    let value = String(repeating: "x", count: 3_000_000)
    let result = try Tool.map("true", input: value + "\n")
    #expect(result.exitCode == 1)
    #expect(result.error.utf8.count < 1000 && result.error.hasSuffix("(3000005 bytes)\n"))
    let lines = try Tool.map("--timeout", "0.1", "sleep 100\n# {}", ":::", "a\u{1B}[31mb")
    #expect(lines.error.split(separator: "\n").count == 1)
    #expect(lines.error.hasSuffix(#": sleep 100\n# 'a\x1b[31mb'"# + "\n"))
    let option = try Tool.map("-j", String(repeating: "9", count: 100_000), "echo", ":::", "1")
    #expect(option.exitCode == 64 && option.error.utf8.count < 1000)
  }

  @Test(
    arguments: [
      ("a", "a"), ("a\tb\nc\r", "a\tb\\nc\\x0d"),
      (String(repeating: "a", count: 300), String(repeating: "a", count: 300)),
      (String(repeating: "ä", count: 151), String(repeating: "ä", count: 150) + "… (302 bytes)"),
      ("a" + String(repeating: "ä", count: 150), "a" + String(repeating: "ä", count: 149) + "… (301 bytes)"),
    ])
  func shown(text: String, expected: String) {
    #expect(Shown.text(text) == expected)
  }

  @Test(
    "U29: a job that ran is not said not to have run",
    .enabled("user namespaces are not allowed here") {
      try Tool.shell("unshare -Urm true").exitCode == 0
    })
  func fullFileSystem() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let result = try Tool.shell(
      """
      exec unshare -Urm sh -c 'mount -t tmpfs -o size=1m none "$F" && TMPDIR="$F" $M "seq {} 3000000" ::: 1'
      """, environment: ["F": folder.path])
    #expect(result.exitCode == 1)
    #expect(result.error.contains("this job was ended") && !result.error.contains("could not run"))
  }

  @Test("U29: errors of others end with 255, wrong command lines with 64") func exitCodes() throws {
    #expect(try Tool.shell("$M --halt").exitCode == 64)
    #expect(try Tool.shell("$M -k=1 echo ::: 1").exitCode == 64)
    #expect(try Tool.shell("\(Tool.path) no-such-command").exitCode == 64)
    #expect(try Tool.shell("$M --joblog /no/such/log echo ::: 1").exitCode == 255)
  }

  @Test(
    "U29: what cannot be read or written is named",
    arguments: [
      ("echo :::: .", "millrace: cannot read '.': Is a directory\n"),
      ("echo < .", "millrace: cannot read standard input: Is a directory\n"),
      (
        "--joblog /dev/full echo ::: 1",
        "millrace: cannot write to the job log '/dev/full': No space left on device\n"
      ),
    ])
  func names(words: String, expected: String) throws {
    let result = try Tool.shell("cd /; $M \(words)")
    #expect(result.exitCode == 255 && result.error == expected)
  }

  @Test("U29: a subcommand that is not there, and more jobs than can be, are called so") func whatIsWrong() throws {
    let other = try Tool.shell("${M% map} mpa echo ::: 1")
    #expect(other.exitCode == 64 && other.error.contains("unknown subcommand 'mpa'"))
    for width in ["1000000", "-9223372036854775808"] {
      let many = try Tool.map("-j", width, "echo", ":::", "1")
      #expect(many.exitCode == 64 && many.error.contains("is more than 100000 jobs at once"))
    }
  }
}
#endif
