#if CLI
import Foundation
import Testing

@testable import MillraceCLI

/// Never silence, never another meaning than the one that is written.
@Suite(.timeLimit(.minutes(1))) struct MeaningTests {
  @Test(
    "U28: one stream cannot be two sources",
    arguments: [
      ":::: - -", "-a - echo :::: -", ":::: /dev/stdin -", ":::: /dev/stdin /dev/fd/0", "--link echo :::: - -",
    ])
  func oneStreamTwice(words: String) throws {
    let words = words.hasPrefix("-") ? words : "echo " + words
    let result = try Tool.shell("seq 3 | $M \(words)")
    #expect(result.exitCode == 64)
    #expect(result.text.isEmpty && result.error.contains("can be read once only"))
  }

  @Test("U28: the same file twice is two sources; one without values is an empty value") func sameFileTwice() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let result = try Tool.shell(
      """
      printf '1\\n2\\n' > $D/f; $M -k echo :::: $D/f $D/f
      $M -k echo {1}-{2} ::: a b :::: /dev/null; $M -k echo {1}-{2} ::: a :::: - < /dev/null
      """, environment: ["D": folder.path])
    #expect(result.lines == ["1 1", "1 2", "2 1", "2 2", "a-", "b-", "a-"])
  }

  @Test("U214: a file of the kernel's has values, though its size is 0") func kernelFiles() throws {
    let result = try Tool.shell(
      "$M -k echo {1}-{2} ::: a b :::: /proc/filesystems; sed 's/^/a-/' /proc/filesystems; sed 's/^/b-/' /proc/filesystems"
    )
    let half = result.lines.count / 2
    #expect(half > 2 && result.lines.prefix(half) == result.lines.suffix(half))
  }

  @Test("U215: a log that is the output, too, cuts nothing of it", arguments: ["/dev/stdout", "+/dev/stdout", "out"])
  func logInTheOutput(name: String) throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let result = try Tool.shell(
      "cd $D; { echo before; $M -k -j1 --joblog \(name) echo ::: 1 2; echo after; } > out; cat out",
      environment: ["D": folder.path])
    let (log, others) = result.lines.reduce(into: ([String](), [String]())) {
      if $1.contains("\t") { $0.0.append($1) } else { $0.1.append($1) }
    }
    #expect(others == ["before", "1", "2", "after"])
    #expect(log.count == (name.hasPrefix("+") ? 2 : 3) && log.suffix(2).map { $0.suffix(6) } == ["echo 1", "echo 2"])
    let errors = try Tool.shell(
      "$M --joblog /dev/stderr 'echo {} >&2' ::: 1 2> $D/err; cat $D/err", environment: ["D": folder.path])
    #expect(errors.lines.count == 3 && errors.lines.contains("1"))
  }

  @Test("U225: bytes that are no text, in variables and separators") func bytesThatAreNoText() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let result = try Tool.shell(
      #"""
      cd $D; byte=$(printf '\377'); mkdir t$byte
      TMPDIR=t$byte $M 'head -c 3000000 /dev/zero #' ::: 1 | wc -c
      PARALLEL="--joblog log$byte" $M true ::: 1; test -s log$byte && echo log
      $M -k --colsep $byte echo {2}{1} ::: a${byte}b
      $M -k --colsep "[$byte;]" echo {2}{1} ::: a${byte}b 'a;b'
      """#, environment: ["D": folder.path])
    #expect(result.lines == ["3000000", "log", "ba", "ba", "ba"], "\(result.error)")
  }

  @Test("U28: Perl is refused, not printed", arguments: ["{= s/a/b/ =}", "{2=s/a/b/=}", "x{-1= $_++ =}y"])
  func perl(text: String) throws {
    let result = try Tool.shell("$M 'echo \(text)' ::: a")
    #expect(result.exitCode == 64 && result.text.isEmpty)
    #expect(result.error.contains("=}' is code in Perl"))
  }

  @Test("U28: braces that are no Perl stay", arguments: ["{=", "=}", "{x=1}", "{ =y= }", "{a=b=}"])
  func noPerl(text: String) throws {
    #expect(try Tool.map("-q", "printf", "%s", text + "{}", ":::", "").text == text)
  }

  @Test("U28: a log is gone on with, and left alone by a dry run and by a run that cannot begin") func jobLog() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let result = try Tool.shell(
      """
      cd $D; echo kept > log
      $M --dry-run --joblog log echo ::: 1; $M --joblog log echo :::: missing 2> /dev/null; cat log
      $M --joblog +log true ::: 1; wc -l < log; $M --joblog +new true ::: 1; $M --joblog +new true ::: 1; wc -l < new
      $M --joblog new true ::: 1; wc -l < new; ls
      """, environment: ["D": folder.path])
    #expect(
      result.lines.map { $0.trimmingCharacters(in: .whitespaces) } == ["echo 1", "kept", "2", "3", "2", "log", "new"])
  }

  @Test("U28: --version is what the help says", arguments: ["--version", "-V", "-k --version"])
  func version(words: String) throws {
    let result = try Tool.shell("$M \(words)")
    #expect(result.exitCode == 0 && result.text.hasPrefix("millrace "))
  }

  @Test("U28: $PARALLEL") func variable() throws {
    let result = try Tool.shell("$M echo ::: 1 2", environment: ["PARALLEL": "-k -j1 --tag"])
    #expect(result.lines == ["1\t1", "2\t2"])
    #expect(try Tool.shell("$M echo ::: 1", environment: ["PARALLEL": "8"]).exitCode == 64)
  }

  @Test("U28: a shell that is not there is named, before any job begins") func missingShell() throws {
    let result = try Tool.shell("$M 'echo {} | cat' ::: 1 2", environment: ["PARALLEL_SHELL": "/no/such/bash"])
    #expect(result.exitCode == 255)
    #expect(
      result.error
        == "millrace: cannot start the shell '/no/such/bash' ($PARALLEL_SHELL): No such file or directory\n")
    let late = try Tool.shell(#"$M echo ::: '\a'"#, environment: ["PARALLEL_SHELL": "/no/such/bash"])
    #expect(late.exitCode == 1 && late.error.contains("cannot start the shell '/no/such/bash'"))
    let foreign = try Tool.shell("$M echo ::: 1", environment: ["PARALLEL_SHELL": "/usr/bin/fish"])
    #expect(foreign.exitCode == 64 && foreign.error.contains("/usr/bin/fish"))
  }

  /// The variable is empty, so the shell that started the command counts.
  @Test(
    "U28: exported functions are run by the shell that started it, or was there before it",
    arguments: [
      "bash -c 'f() { echo f $1; }; export -f f; $M f ::: 1; true'",
      "bash -c 'f() { echo f $1; }; export -f f; exec $M f ::: 1'; true",
      "bash -c 'f() { echo f $1; }; export -f f; timeout 60 $M f ::: 1'; true",
      "bash -c 'f() { echo f $1; }; export -f f; $M \"true; f\" ::: 1; true'",
    ])
  func functions(script: String) throws {
    let result = try Tool.shell(script, environment: ["PARALLEL_SHELL": "", "SHELL": "/bin/sh"])
    #expect(result.text == "f 1\n")
    #expect(result.error.isEmpty)
  }

  @Test("U28: which shell") func shells() throws {
    func path(_ environment: [String], _ starting: StartingShell?) throws -> String {
      String(
        decoding: try Shell(environment: environment.map { Bytes($0.utf8) }, starting: starting).path, as: UTF8.self)
    }
    let function = "BASH_FUNC_f%%=() {  echo\n}"
    let dash = StartingShell(path: Bytes("/bin/dash".utf8), environment: [])
    let dashWithFunction = StartingShell(path: Bytes("/bin/dash".utf8), environment: [Bytes(function.utf8)])
    let fish = StartingShell(path: Bytes("/bin/fish".utf8), environment: [])
    #expect(try path(["SHELL=/bin/zsh"], dash) == "/bin/dash")
    #expect(try path(["SHELL=/bin/zsh"], fish) == "/bin/zsh")
    #expect(try path(["SHELL=/bin/zsh"], nil) == "/bin/zsh")
    #expect(try path(["SHELL=/bin/tcsh"], nil) == "/bin/sh")
    #expect(try path([function, "SHELL=/bin/zsh"], dash) == "bash")
    #expect(try path([function, "SHELL=/bin/zsh"], dashWithFunction) == "/bin/dash")
    #expect(try path([function, "PARALLEL_SHELL=/bin/sh"], nil) == "/bin/sh")
    #expect(try path([function, "SHELL=/opt/bash"], nil) == "/opt/bash")
  }

  @Test("U28: lines that end as on other systems lose it with their columns, and only then") func carriageReturns()
    throws
  {
    let result = try Tool.shell(
      """
      printf 'a,b\\r\\nc,\\r\\n' | $M -k --colsep , 'printf %s, {1} {2}'
      printf 'a\\r\\n' | $M 'printf %s {}' | od -An -tx1
      """)
    #expect(result.text == "a,b,c,, 61 0d\n")
  }

  @Test(
    "U28: escapes within brackets mean what they mean outside",
    arguments: [
      (#"[\s,]+"#, "a \tb,c", ["a", "b", "c"]), (#"[\d]"#, "a1b", ["a", "b"]), (#"[^\w]"#, "a-b_c", ["a", "b_c"]),
      (#"[]\s]"#, "a]b c", ["a", "b", "c"]), (#"[[:space:]\d]"#, "a b1c", ["a", "b", "c"]),
      (#"\s*;\s*"#, "a ; b", ["a", "b"]), (#"[\\]"#, #"a\b"#, ["a", "b"]), (#"\D+"#, "1ab2", ["1", "2"]),
      (#"[\x2c;]"#, "a,b;c", ["a", "b", "c"]), (#"[\r\f]"#, "r\rf\u{C}x", ["r", "f", "x"]),
    ])
  func columns(pattern: String, value: String, expected: [String]) throws {
    let columns = try ColumnSeparator(pattern).split(Bytes(value.utf8))
    #expect(columns.map { String(decoding: $0, as: UTF8.self) } == expected)
  }

  @Test(
    "U28: escapes mean what they mean to Perl",
    arguments: [
      (#"\r"#, "arb\rc", ["arb", "c"]), (#"\x7c"#, "a|b", ["a", "b"]), (#"\x{2c}"#, "a,b", ["a", "b"]),
      (#"\054"#, "a,b", ["a", "b"]), (#"\<"#, "a<b", ["a", "b"]), (#"\'"#, "a'b", ["a", "b"]),
      (#"\."#, "a.b", ["a", "b"]), (#"\-"#, "a-b", ["a", "b"]), (#"\["#, "a[b", ["a", "b"]),
      (#"\bx\b"#, "1 x xx", ["1 ", " xx"]),
    ])
  func escapes(pattern: String, value: String, expected: [String]) throws {
    let columns = try ColumnSeparator(pattern).split(Bytes(value.utf8))
    #expect(columns.map { String(decoding: $0, as: UTF8.self) } == expected)
  }

  @Test("U28: columns lose the white space around them, unless --trim says otherwise") func trimmedColumns() throws {
    let result = try Tool.shell(
      """
      $M -k --tag --colsep , printf '[%s]' {2} {} ::: 'a , b ' ::: ' c '; echo
      $M -k --colsep , --trim n printf '[%s]' {1} {2} ::: ' a , b '; echo
      $M -k --trim l printf '[%s]' ::: ' a '; $M -k --trim r printf '[%s]' ::: ' a '; $M -k printf '[%s]' ::: ' a '; echo
      """)
    #expect(result.lines == ["a b c\t[b][a][b][c]", "[ a ][ b ]", "[a ][ a][ a ]"])
    let wrong = try Tool.map("--trim", "x", "echo", ":::", "a")
    #expect(wrong.exitCode == 64 && wrong.error.contains("--trim 'x'"))
  }

  @Test("U28: no log called -, and none that takes a word of the command for its name", arguments: ["-", "="])
  func logsName(value: String) throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let option = value == "=" ? "--joblog=" : "--joblog \(value)"
    let result = try Tool.shell("cd $D; $M \(option) echo ::: 1; echo $?; ls", environment: ["D": folder.path])
    #expect(result.lines == [value == "=" ? "255" : "64"])
    #expect(!result.error.isEmpty)
  }

  @Test(
    "U28: separators that would mean something else are refused",
    arguments: ["", #"[\D]"#, #"[a\]b]"#, #"\h"#, #"\Q.\E"#, ",*?", ",++", #"\x"#, #"\x{e4}"#, #"\x00"#, #"[\x5d]"#])
  func wrongColumns(pattern: String) {
    #expect(throws: UsageError.self) { try ColumnSeparator(pattern) }
  }

  @Test("U29: --link repeats what is shorter, -r leaves out what is blank") func linkAndBlank() throws {
    let result = try Tool.shell(
      """
      $M -k --link echo ::: a b c ::: 1 2; seq 4 | $M -k --xapply echo {1}{2} :::: - ::: x y
      printf '\\n \\na\\n' | $M -k -r echo v; printf '\\n' | $M -r echo v
      """)
    #expect(result.lines == ["a 1", "b 2", "c 1", "1x", "2y", "3x", "4y", "v a"])
  }
}
#endif
