#if CLI
import Foundation
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// Jobs that have to end: by time, by halt, by signal, because nobody reads.
@Suite(.timeLimit(.minutes(1))) struct EndingTests {
  /// A command line that no other process has.
  private static func uniqueSleep() -> String { "1000.\(Int.random(in: 100_000_000...999_999_999))" }

  /// Whether any process with this argument runs.
  private func isRunning(_ argument: String) throws -> Bool {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").contains { id in
      guard Int(id) != nil, let line = FileManager.default.contents(atPath: "/proc/\(id)/cmdline") else {
        return false
      }
      return line.split(separator: 0).contains(Data(argument.utf8))
    }
  }

  /// All at once, for each waits for its limit and its grace.
  @Test("A timed-out job leaves no process")
  func timeout() throws {
    let runs = try [
      "sleep N & sleep N", "setsid sleep N & sleep N", "(setsid sleep N &) ; sleep N",
      "trap '' TERM; sleep N & sleep N & wait; wait; sleep N", "sleep N & exec sleep N",
      "(trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep N; sleep N' &); sleep N",
    ].map { text in
      let sleep = Self.uniqueSleep()
      let command = text.replacingOccurrences(of: "N", with: sleep) + " # {}"
      let words = ["--timeout", "0.4", "--joblog", "/dev/stdout", command, ":::", "1"]
      return (text, sleep, try Tool.Running([Tool.path, "map"] + words))
    }
    for (text, sleep, run) in runs {
      let result = try run.finished()
      #expect(result.exitCode == 1, "\(text)")
      #expect(result.error.contains("ran too long"), "\(text)")
      #expect(try !isRunning(sleep), "\(text)")
      #expect(result.lines.last?.split(separator: "\t")[6...7] == ["-1", "15"], "\(text)")
    }
  }

  @Test func timeoutKeepsWhatWasWritten() throws {
    let result = try Tool.map("--timeout", "0.5", "echo {}; exec sleep 1000", ":::", "a")
    #expect(result.text == "a\n")
  }

  @Test func timeoutByMedian() throws {
    let result = try Tool.map("-j2", "--timeout", "400%", "sleep {}", ":::", "1000", "0.2", "0.2", "0.2", "0.2")
    #expect(result.exitCode == 1)
  }

  @Test func processesLeftBehindDoNotHoldTheJob() throws {
    let sleep = Self.uniqueSleep()
    let result = try Tool.map("sleep \(sleep) & echo $!; echo {3}", ":::", "a")
    #expect(result.exitCode == 0)
    let left = try #require(result.lines.first.flatMap { pid_t($0) })
    #expect(kill(left, SIGKILL) == 0)
  }

  /// Runs a script in which a job says that it has begun by a line in a named pipe; returns when it has.
  private func started(_ script: String, _ body: (Tool.Running, String) async throws -> Void) async throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let fifo = folder.appendingPathComponent("fifo").path
    #expect(mkfifo(fifo, 0o600) == 0)
    let running = try Tool.Running(["/bin/sh", "-c", "exec " + script.replacingOccurrences(of: "FIFO", with: fifo)])
    let file = open(fifo, O_RDONLY | O_CLOEXEC)
    var byte: UInt8 = 0
    #expect(read(file, &byte, 1) == 1)
    close(file)
    try await body(running, fifo)
  }

  @Test("F44 the first signal lets running jobs end", arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func firstSignal(signal: Int32, exitCode: Int32) async throws {
    try await started("$M -j1 'printf x{3} > FIFO; read go < FIFO; echo done {}' ::: 1 2 3") { running, fifo in
      kill(running.id, signal)
      // The job goes on only after the signal was heard: its message is the proof.
      let file = open(fifo, O_WRONLY | O_CLOEXEC)
      try await running.waitForMessage("no new jobs")
      _ = write(file, "go\n", 3)
      close(file)
      let result = try running.finished()
      #expect(result.lines == ["done 1"])
      #expect(result.exitCode == exitCode)
    }
  }

  @Test func firstSignalDoesNotWaitForInput() throws {
    // The input never ends; the job itself sends the signal.
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let result = try Tool.shell(
      """
      mkfifo $D/in; exec 3<>$D/in; echo 1 >&3
      $M -j1 'echo got {}; kill -INT $PPID' <$D/in
      echo $?
      """, environment: ["D": folder.path])
    #expect(result.lines == ["got 1", "130"])
  }

  @Test("F44 the second signal ends jobs, and the third kills them") func secondSignalEndsJobsAndThirdKillsThem()
    async throws
  {
    let sleep = Self.uniqueSleep()
    try await started("$M -j1 'printf x{3} > FIFO; sleep \(sleep)' ::: 1 2") { running, _ in
      kill(running.id, SIGINT)
      try await running.waitForMessage("no new jobs")
      kill(running.id, SIGINT)
      #expect(try running.finished().exitCode == 130)
      #expect(try !isRunning(sleep))
    }
    let stubborn = "trap \"\" TERM; printf x{3} > FIFO; while :; do sleep \(sleep); done"
    try await started("$M -j1 '\(stubborn)' ::: 1 2") { running, _ in
      for _ in 0..<3 { kill(running.id, SIGTERM) }
      kill(running.id, SIGINT)
      kill(running.id, SIGHUP)
      let code = try running.finished().exitCode
      #expect([143, 130, 129].contains(code))
      #expect(try !isRunning(sleep))
    }
  }

  @Test(
    "F45 a reader that goes away ends the run, also while its jobs are silent",
    arguments: ["", "-u", "-k", "--line-buffer"])
  func readerThatGoesAway(option: String) throws {
    let sleep = Self.uniqueSleep()
    let result = try Tool.shell(
      "{ $M \(option) -j2 'test {} = 1 && echo 1 || sleep \(sleep)' ::: 1 2 3; echo $? >&2; } | sed 1q")
    #expect(result.text == "1\n")
    #expect(result.error == "141\n")
    #expect(try !isRunning(sleep))
  }
}
#endif
