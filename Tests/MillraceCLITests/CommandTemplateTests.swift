#if CLI
import Testing

@testable import MillraceCLI

@Suite struct CommandTemplateTests {
  private func text(_ command: String, _ values: [String], quoting: Bool = false) -> String {
    let words = command.split(separator: " ", omittingEmptySubsequences: false).map { Bytes($0.utf8) }
    let template = CommandTemplate(words, quoting: quoting)
    let job = JobValues(sequence: 7, slot: 2, arguments: values.map { Bytes($0.utf8) })
    return String(decoding: template.text(for: job), as: UTF8.self)
  }

  @Test(
    "Parts of a path, as GNU parallel takes them",
    arguments: [
      ("a/b.c", "a/b.c a/b b.c a b"),
      ("/x.y.z", "/x.y.z /x.y x.y.z / x.y"),
      ("a.b/c", "a.b/c a.b/c c a.b c"),
      ("d/", "d/ d/ '' . ''"),
      ("/", "/ / '' / ''"),
      ("", "'' '' '' . ''"),
      (".bashrc", ".bashrc '' .bashrc . ''"),
      ("d/.x", "d/.x d/ .x d ''"),
      ("a//b", "a//b a//b b a b"),
      ("/tmp/dir.d/file", "/tmp/dir.d/file /tmp/dir.d/file file /tmp/dir.d file"),
    ])
  func parts(value: String, expected: String) {
    #expect(text("{} {.} {/} {//} {/.}", [value], quoting: true) == expected)
  }

  @Test(
    arguments: [
      ("echo", ["a"], "echo a"),
      ("echo {}x{}", ["a"], "echo axa"),
      ("echo {#} {%}", ["a"], "echo 7 2"),
      ("echo {1} {2} {-1} {3}.", ["a", "b/c.d"], "echo a b/c.d b/c.d ."),
      ("echo {2.} {2/} {2//} {2/.}", ["a", "b/c.d"], "echo b/c c.d b c"),
      ("echo {}", ["a", "b c"], "echo a 'b c'"),
      ("echo {.}", ["a.x", "b.y"], "echo a b"),
      ("echo {{}} {a} {0} {", ["v"], "echo {v} {a} {0} {"),
      ("{} twice", ["echo a"], "echo a twice"),
      ("echo", ["it's", "", "a\nb", "-x", "~"], #"echo 'it'"'"'s' '' 'a\#nb' -x '~'"#),
    ])
  func text(command: String, values: [String], expected: String) {
    #expect(text(command, values) == expected)
  }

  @Test func quotedCommandsMeanThemselves() {
    #expect(text("echo $HOME {}", ["a b"], quoting: true) == "echo '$HOME' 'a b'")
  }

  @Test func withoutCommandTheValueIsOne() {
    let template = CommandTemplate([], quoting: false)
    let job = JobValues(sequence: 1, slot: 1, arguments: [Bytes("echo a; echo b".utf8)])
    #expect(template.text(for: job) == Bytes("echo a; echo b".utf8))
    #expect(template.arguments(for: job) == nil)
    let plain = JobValues(sequence: 1, slot: 1, arguments: [Bytes("wc -l file".utf8)])
    #expect(template.arguments(for: plain)?.map { String(decoding: $0, as: UTF8.self) } == ["wc", "-l", "file"])
  }

  @Test(
    "Plain commands need no shell",
    arguments: [
      ("wc -l {}", ["wc", "-l", "a b"]), ("wc  -l\t{}", ["wc", "-l", "a b"]),
      ("cc -o{.}.o {}", ["cc", "-oa b.o", "a b"]),
      ("wc", ["wc", "a b"]), ("dd if={}", ["dd", "if=a b"]), ("wc {2}", ["wc"]), ("wc {2}{1}", ["wc", "a b"]),
      ("echo {} end", ["echo", "a b", "end"]),
    ])
  func direct(command: String, expected: [String]) {
    let template = CommandTemplate([Bytes(command.utf8)], quoting: false)
    let job = JobValues(sequence: 1, slot: 1, arguments: [Bytes("a b".utf8)])
    #expect(template.arguments(for: job)?.map { String(decoding: $0, as: UTF8.self) } == expected)
  }

  @Test(
    "What a shell could read differently goes to it",
    arguments: [
      "wc -l {} | head", "echo -n {}", "echo x -e{}", "X=1 wc", "wc *", "wc ~", "wc $HOME", "wc '{}'", "if true",
      "wc \\{}",
      "wc {a,b}", "wc;", "wc &", "true --{}", "wc # {}", "wc é", "test {}", "./{1}/run {}",
    ])
  func shell(command: String) {
    let template = CommandTemplate([Bytes(command.utf8)], quoting: false)
    #expect(template.arguments(for: JobValues(sequence: 1, slot: 1, arguments: [Bytes("a".utf8)])) == nil)
  }

  @Test(
    "Shells do not agree on what echo makes of a backslash",
    arguments: [(#"a\tb"#, false), ("-n", false), ("a-n", true)])
  func echo(value: String, isDirect: Bool) {
    let template = CommandTemplate([Bytes("echo {}".utf8)], quoting: false)
    let job = JobValues(sequence: 1, slot: 1, arguments: [Bytes(value.utf8)])
    #expect((template.arguments(for: job) != nil) == isDirect)
  }
}
#endif
