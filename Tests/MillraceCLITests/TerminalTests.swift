#if CLI
import Foundation
import Testing

@testable import MillraceCLI

#if canImport(Glibc)
import Glibc
#endif

/// Signals and terminals as people know them.
@Suite(.timeLimit(.minutes(1))) struct TerminalTests {
  /// The state of a process in `/proc`, as one letter.
  private func state(of id: pid_t) -> String? {
    guard let text = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8) else { return nil }
    return text.split(separator: ")").last?.split(separator: " ").first.map(String.init)
  }

  private func pid(in line: String, _ terminal: Terminal) throws -> pid_t {
    terminal.wait(for: "\(line)<")
    terminal.wait(for: ">")
    let number = terminal.shown.components(separatedBy: "\(line)<").last?.prefix { $0.isNumber }
    return try #require(number.flatMap { pid_t($0) })
  }

  @Test("U27: Ctrl-Z stops the jobs too, and fg goes on", arguments: ["", "true; timeout 50 ", "setsid -w "])
  func suspend(prefix: String) throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let terminal = try Terminal(
      """
      set -m; mkfifo $D/go
      $M -u '\(prefix)sh -c "echo job\\\\<\\$\\$\\\\>; read x < $D/go; echo went on"' ::: 1
      echo "stopped $?"; read key; fg > /dev/null; echo "ended $?"
      """, environment: ["D": folder.path])
    let job = try pid(in: "job", terminal)
    terminal.type("\u{1A}")
    terminal.wait(for: "stopped 148")
    // The signal was sent before the command stopped; the kernel may take a moment to carry it out.
    while let state = state(of: job), state != "T" { usleep(1000) }
    #expect(state(of: job) == "T")
    terminal.type("\n")
    while state(of: job) == "T" { usleep(1000) }
    let go = open(folder.appendingPathComponent("go").path, O_WRONLY | O_CLOEXEC)
    _ = write(go, "x\n", 2)
    close(go)
    #expect(terminal.end() == 0)
    #expect(terminal.shown.contains("went on") && terminal.shown.contains("ended 0"))
  }

  @Test("U27: the time for which a job was stopped is not the job's") func limitsStandStill() throws {
    let terminal = try Terminal(
      """
      set -m
      $M -u --timeout 1 'echo begun; sleep 0.5; echo end # {}' ::: 1; echo "stopped $?"; sleep 1.2; fg > /dev/null; echo "ended $?"
      """)
    terminal.wait(for: "begun")
    terminal.type("\u{1A}")
    _ = terminal.end()
    #expect(terminal.shown.contains("end\r\n") && terminal.shown.contains("ended 0"))
  }

  @Test("U27: Ctrl-\\ ends the run and its jobs, and nothing else") func quit() throws {
    let terminal = try Terminal("$M -u 'echo job\\<$$\\>; exec sleep 1000' ::: 1 2; echo \"ended $?\"")
    let job = try pid(in: "job", terminal)
    terminal.type("\u{1C}")
    #expect(terminal.end() == 0)
    #expect(terminal.shown.contains("ended 131") && state(of: job) == nil)
    #expect(!terminal.shown.contains("acktrace") && !terminal.shown.contains("Crash"))
  }

  /// All at once, for each waits for that grace.
  @Test("U27: one SIGTERM ends the jobs, after what runs has had its grace")
  func terminate() throws {
    let jobs: [(String, [String])] = [
      ("exec sleep 1000", []), ("trap '' TERM; while :; do sleep 1000; done", []), ("sleep 1; echo done", ["done"]),
    ]
    // The signal comes when the first job has begun, however long that takes.
    let script = """
      mkfifo $D/begun; $M -j1 "echo > $D/begun; $J # {}" ::: 1 2 & read line < $D/begun; kill $!; wait $!; echo $?
      """
    let folders = try jobs.map { _ in try Tool.temporaryFolder() }
    defer { for folder in folders { try? FileManager.default.removeItem(at: folder) } }
    let runs = try zip(jobs, folders).map { job, folder in
      try Tool.Running(["/bin/sh", "-c", script], environment: ["J": job.0, "D": folder.path])
    }
    for ((job, expected), run) in zip(jobs, runs) {
      let result = try run.finished()
      #expect(result.lines == expected + ["143"], "\(job)")
      #expect(result.error == "millrace: no new jobs; those that run have 5 s (once more ends them)\n", "\(job)")
    }
  }

  /// It waits for the other end of a FIFO, or reads a source whose values it has to hold.
  @Test(
    "U27: until the run begins any signal ends it at once",
    arguments: ["echo :::: fifo", "--joblog fifo echo ::: 1", "echo ::: 1 :::: /dev/fd/3 3<> fifo"],
    [SIGINT, SIGTERM, SIGQUIT, SIGHUP])
  func beforeTheRun(words: String, signal: Int32) throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let run = try Tool.Running(
      ["/bin/sh", "-c", "cd $D && mkfifo fifo && exec $M \(words)"], environment: ["D": folder.path])
    // Before its signals are blocked, and heard by a thread of its own, any of them ends it anyhow.
    while blockedSignals(of: run.id) & 1 << UInt64(SIGINT - 1) == 0 { usleep(1000) }
    kill(run.id, signal)
    let result = try run.finished()
    #expect(result.exitCode == 128 + signal)
    #expect(result.text.isEmpty && result.error.isEmpty)
  }

  private func blockedSignals(of id: pid_t) -> UInt64 {
    let status = (try? String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("SigBlk:") }
    return line?.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } ?? 0
  }

  @Test(
    "U27: a job that waits for the terminal is noticed",
    arguments: [("read x < /dev/tty", "read from"), ("stty -echo < /dev/tty", "change")])
  func terminalIsWanted(job: String, wish: String) throws {
    // Where its child ends before bash has seen the signal, bash takes it that the child died of it, and does so too.
    let terminal = try Terminal("trap : INT; $M '\(job) # {}' ::: 1; echo \"ended $?\"")
    terminal.wait(for: "stands still")
    terminal.wait(for: "ends it): ")
    terminal.type("\u{3}")
    terminal.wait(for: "no new jobs")
    terminal.type("\u{3}")
    #expect(terminal.end() == 0)
    #expect(terminal.shown.contains(wish) && terminal.shown.contains("ended 130"))
  }

  @Test("U27: a job that the terminal stopped before it was known is not forgotten") func stoppedEarly() throws {
    let stop = try StopState(gate: StartGate(width: 1) { _ in })
    let job = RunningJob(values: JobValues(sequence: 1, slot: 1, arguments: []), leader: .max, bell: -1)
    #expect(stop.stopped(job.leader, by: SIGTTIN) == nil && stop.jobsStoppedEarly().isEmpty)
    stop.begun(job)
    #expect(stop.jobsStoppedEarly().map(\.signal) == [SIGTTIN])
    #expect(stop.jobsStoppedEarly().isEmpty)
    #expect(stop.stopped(job.leader, by: SIGTTOU)?.leader == job.leader)
  }

  @Test(
    "U27: at a terminal without input one line says what is waited for",
    arguments: [("cat", "values"), ("", "commands")])
  func noInput(command: String, what: String) throws {
    let terminal = try Terminal("stty -echo; $M \(command); echo \"ended $?\"")
    terminal.wait(for: "Ctrl-D ends them")
    terminal.type("\u{4}")
    #expect(terminal.end() == 0)
    #expect(
      terminal.shown.contains("millrace: reading \(what) from the terminal") && terminal.shown.contains("ended 0"))
    let given = try Terminal("$M echo ::: 1; echo 1 | $M echo")
    #expect(given.end() == 0)
    #expect(given.shown == "1\r\n1\r\n")
  }
}
#endif
