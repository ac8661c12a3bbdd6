#if CLI
import Foundation
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// How far a run is, where it is no terminal, on one, and in tmux, which understands terminals.
@Suite(.timeLimit(.minutes(1))) struct ProgressTests {
  private static let tmux = ["/usr/bin/tmux", "/usr/local/bin/tmux"].first(
    where: FileManager.default.isExecutableFile(atPath:))

  /// A program beside the command.
  private static let acceptanceProgram =
    URL(filePath: Tool.path).deletingLastPathComponent().path + "/AcceptanceProgram"

  @Test(
    "no terminal: plain lines on standard error, and the output as without",
    arguments: ["--bar", "--eta", "--progress"])
  func lines(option: String) throws {
    let result = try Tool.shell("$M -k \(option) 'echo {}; exit {}' ::: 0 1 0", environment: ["FORCE_COLOR": ""])
    #expect(result.lines == ["0", "1", "0"])
    #expect(result.exitCode == 1)
    let lines = result.error.split(separator: "\n")
    #expect(lines.last?.hasPrefix("100% 3/3 jobs 1 failed") == true && lines.last?.hasSuffix(" done") == true)
    #expect(!result.error.contains("\u{1B}"))
  }

  @Test("retries are no progress; values from a pipe are counted, or not")
  func counts() throws {
    let result = try Tool.shell("seq 4 | $M --bar --retries 3 false '#' {}")
    #expect(
      result.error.hasSuffix(" done\n") && result.error.contains("100% 4/4 jobs 4 failed 8 retried"), "\(result.error)")
    let endless = try Tool.shell("yes | $M --progress --halt soon,done=3 -j1 true '#' {}")
    #expect(endless.error.contains(" jobs"))
  }

  @Test("a run that is stopped has not done what it did not begin")
  func cutShort() throws {
    let result = try Tool.shell("seq 30 | $M --bar --halt soon,done=3 -j1 true '#' {}")
    let last = result.error.split(separator: "\n").last { $0.contains("/30 jobs") }
    #expect(last?.hasPrefix("100%") == false && last?.hasSuffix(" cancelled") == true, "\(result.error)")
  }

  @Test("it contradicts direct output") func contradiction() throws {
    let result = try Tool.shell("$M -u --bar true ::: 1")
    #expect(result.exitCode == 64 && result.error == "millrace: --ungroup and --bar contradict each other\n")
  }

  @Test("a reader of standard error that has gone ends nothing")
  func readerHasGone() throws {
    let script = "{ $M --bar -k 'echo {}' ::: 1 2 3 2>&1 >&3 | true; } 3>&1"
    let result = try Tool.shell(script)
    #expect(result.lines == ["1", "2", "3"])
  }

  @Test("a terminal: one bar, output above it, the cursor below", arguments: [20, 40, 100])
  func terminal(columns: Int) throws {
    let terminal = try Terminal(
      "stty cols \(columns); $M -k --bar 'echo out {}' ::: 1 2 3; echo \"ended $?\"",
      environment: ["TERM": "xterm", "LANG": "C.UTF-8", "NO_COLOR": "1"])
    #expect(terminal.end() == 0)
    #expect(terminal.shown.hasSuffix("ended 0\r\n"))
    let lines = terminal.shown.components(separatedBy: "\r\n")
    let last = try #require(lines.dropLast(2).last)
    // A run that is over before the first look has nothing to draw over.
    #expect(last.contains("100%"), "\(lines)")
    for number in 1...3 { #expect(lines.contains { $0.hasSuffix("out \(number)") }) }
    // The cursor stays as it is.
    #expect(!terminal.shown.contains("\u{1B}[?"))
  }

  @Test("tmux shows bars as they are meant, running and finished", .enabled(if: tmux != nil))
  func inTmux() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let environment = ["D": folder.path, "T": "\(Self.tmux!) -S \(folder.path)/socket -f /dev/null"]
    let program = """
      mkfifo $D/go; PS1=; cd $D
      $M -j1 -k --bar 'echo a long line of output of job {} that wraps; test {} = 1 || read x < $D/go' ::: 1 2 3
      echo "ended $?"; $T wait-for -S over; read key
      """
    try program.write(to: folder.appendingPathComponent("program"), atomically: true, encoding: .utf8)
    // Opened for both, a FIFO waits for nobody.
    let script = """
      export LANG=C.UTF-8 TERM=xterm NO_COLOR=1
      $T new-session -d -x 40 -y 12 "/bin/bash $D/program"
      trap '$T kill-server' EXIT
      until $T capture-pane -p | grep -q ' 33%'; do sleep 0.05; done
      $T capture-pane -p; echo =====
      $T resize-window -x 30 -y 12
      exec 3<> $D/go; echo x >&3; echo x >&3
      $T wait-for over; $T capture-pane -p -S -
      """
    let result = try Tool.shell(script, environment: environment)
    let screens = result.text.components(separatedBy: "=====\n").map { screen in
      screen.split(separator: "\n").map(String.init).filter { !$0.isEmpty }
    }
    try #require(screens.count == 2, "\(result)")
    #expect(screens[0].count == 3)
    #expect(screens[0].prefix(2) == ["a long line of output of job 1 that wrap", "s"])
    #expect(screens[0].last?.hasPrefix(" 33% ━") == true && screens[0].last?.contains("1/3 jobs") == true)
    let finished = screens[1].filter { $0.contains("%") }
    #expect(finished.count == 1 && finished[0].hasPrefix("100% ") && finished[0].contains("3/3 jobs"))
    #expect(screens[1].last == "ended 0")
    #expect(screens[1].filter { $0.contains("output of job") }.count == 3, "\(screens[1])")
  }

  /// What tmux shows in the end of a script of bash.
  private func screen(of program: String, columns: Int = 60, rows: Int = 20) throws -> (rows: [String], cursor: String)
  {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let environment = ["D": folder.path, "T": "\(Self.tmux!) -S \(folder.path)/socket -f /dev/null"]
    try "cd $D; \(program)\n$T wait-for -S over; read key\n".write(
      to: folder.appendingPathComponent("program"), atomically: true, encoding: .utf8)
    let script = """
      export LANG=C.UTF-8 TERM=xterm NO_COLOR=1
      $T new-session -d -x \(columns) -y \(rows) "/bin/bash $D/program"
      trap '$T kill-server' EXIT
      $T wait-for over; $T capture-pane -p; echo =====; $T display-message -p '#{cursor_x} #{cursor_flag}'
      """
    let parts = try Tool.shell(script, environment: environment).text.components(separatedBy: "=====\n")
    try #require(parts.count == 2)
    return (parts[0].split(separator: "\n").map(String.init), parts[1].trimmingCharacters(in: .newlines))
  }

  @Test(
    "bars of a program's maps, wide names and nested ones too, and the terminal after Ctrl-C", .enabled(if: tmux != nil)
  )
  func bars() throws {
    let (rows, cursor) = try screen(
      of: """
        PS1=; before=$(stty -g); trap : INT
        {
          until $T capture-pane -p > $D/running; [ $(grep -c "inner  50%" $D/running) = 2 -a $(grep -c " 25%" $D/running) = 3 ]
          do sleep 0.05; done
          $T send-keys C-c
        } &
        \(Self.acceptanceProgram) bars forkServer
        echo "ended $?"
        [ "$before" = "$(stty -g)" ] && echo "the terminal is as it was"
        grep -v "^ *$" $D/running | sed "s/^/|/"
        """, rows: 40)
    let running = rows.filter { $0.hasPrefix("|") }.map { String($0.dropFirst()) }
    #expect(running.count == 8, "\(rows)")
    #expect(running.first?.hasPrefix("broken ") == true && running.first?.hasSuffix(" failed") == true, "\(running)")
    #expect(running.dropFirst().first == "no signal is caught")
    // Those that go on, in whatever order they have begun; the nested ones under their map's.
    let names = running.dropFirst(2).map { $0.prefix { $0 != "%" }.dropLast(4) }
    #expect(Set(names) == ["日本", "👩‍👩‍👧", "plain", "outer", "#0 inner", "#1 inner"], "\(running)")
    let outer = try #require(names.firstIndex(of: "outer"))
    #expect(
      names.dropFirst(outer + 1 - names.startIndex).prefix(2).elementsEqual(["#0 inner", "#1 inner"]), "\(running)")
    // Behind Ctrl-C the shell goes on under the bars, each of which stands there once.
    let rest = rows.filter { !$0.hasPrefix("|") }
    #expect(rest.contains { $0.hasSuffix("ended 130") } && rest.contains("the terminal is as it was"), "\(rows)")
    for name in ["日本", "👩‍👩‍👧", "plain", "outer", "#0 inner", "#1 inner", "broken"] {
      #expect(rest.filter { $0.hasPrefix(name + " ") }.count == 1, "\(rest)")
    }
    #expect(cursor == "0 1")
  }

  @Test("after Ctrl-Z and fg it goes on below what was written meanwhile", .enabled(if: tmux != nil))
  func stopped() throws {
    // As Ctrl-Z does, to the whole process group; it is looked for a standstill of more than a second.
    let (rows, cursor) = try screen(
      of: """
        set -m; mkfifo go; exec 3<> go
        $M -j1 --bar 'test {} != 2 || { kill -TSTP $PPID; read x < $D/go; }' ::: 1 2 3
        echo "stopped $?"; sleep 1.5; echo >&3; fg > /dev/null; echo "ended $?"
        """)
    #expect(rows.contains("stopped 148") && rows.last == "ended 0", "\(rows)")
    #expect(rows.filter { $0.hasPrefix("100% ") }.count == 1)
    #expect(rows.dropLast().last?.hasPrefix("100% ") == true)
    #expect(cursor == "0 1")
  }

  @Test("whatever ends it, the terminal is as it was, and the cursor below the bar", .enabled(if: tmux != nil))
  func killed() throws {
    // Not before the bar is there.
    let (rows, cursor) = try screen(
      of: """
        $M -j1 --bar 'until $T capture-pane -p | grep -q "0%"; do :; done; kill -KILL $PPID; true' ::: 1 2 3
        echo "killed $?"
        """)
    #expect(rows.contains("killed 137") && rows.contains { $0.hasPrefix("  0% ") }, "\(rows)")
    #expect(cursor == "0 1")
  }
}
#endif
