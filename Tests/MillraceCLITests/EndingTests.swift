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

  /// The output goes to a FIFO that nobody reads; the second job runs when that is full.
  ///
  /// All at once, for most wait for their graces.
  @Test("U212: a reader that stands still holds no signal up") func readerThatStandsStill() async throws {
    let cases: [([Int32], Int32)] = [
      ([SIGINT, SIGINT, SIGINT], 130), ([SIGTERM], 143), ([SIGQUIT], 131), ([SIGHUP], 129), ([SIGTERM, SIGQUIT], 143),
    ]
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    var runs: [(what: String, exitCode: Int32, sleep: String, run: Tool.Running)] = []
    for (number, options) in ["", "--lb", "-k --bar"].enumerated() {
      for (signals, exitCode) in cases where signals.count > 1 || number < 2 {
        let sleep = Self.uniqueSleep()
        let file = folder.appendingPathComponent(sleep).path
        #expect(mkfifo(file, 0o600) == 0)
        // It has the other end, too, so nobody has to.
        let run = try Tool.Running(
          [
            "/bin/sh", "-c",
            "exec 3<> $F; exec $M \(options) -j2 {} ::: 'yes | head -c 1000000' 'touch $F-begun; exec sleep \(sleep)' > $F",
          ], environment: ["F": file])
        let reader = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        defer { close(reader) }
        var waiting: Int32 = 0
        while waiting < 65_536 || !FileManager.default.fileExists(atPath: "\(file)-begun") {
          try await Task.sleep(for: .milliseconds(5))
          #expect(ioctl(reader, UInt(FIONREAD), &waiting) == 0)
        }
        for signal in signals {
          kill(run.id, signal)
          // Two that wait together are one.
          try await Task.sleep(for: .milliseconds(50))
        }
        runs.append(("\(options) \(signals)", exitCode, sleep, run))
      }
    }
    for (what, exitCode, sleep, run) in runs {
      #expect(try run.finished(within: 20).exitCode == exitCode, "\(what)")
      #expect(try !isRunning(sleep), "\(what)")
    }
  }

  @Test("U213: what a job leaves behind and writes without end does not hold it up") func leftBehindThatWrites() throws
  {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("fifo").path
    #expect(mkfifo(file, 0o600) == 0)
    let run = try Tool.Running(
      ["/bin/sh", "-c", "exec $M --lb 'yes {#} & sleep 0.05; exit 0' '#' ::: 1 > $F"], environment: ["F": file])
    let reader = open(file, O_RDONLY | O_CLOEXEC)
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let end = ContinuousClock.now + .seconds(10)
    // Slower than what writes, so the pipe between them stays full.
    while ContinuousClock.now < end, read(reader, &buffer, buffer.count) > 0 { usleep(5_000) }
    close(reader)
    #expect(try run.finished(within: 5).exitCode == 0)
  }

  @Test("U217: to end many jobs costs no more for each than to end few") func manyJobs() throws {
    // The last fails when all others have been started.
    let result = try Tool.shell(
      #"exec bash -c 'TIMEFORMAT="%U %S"; time $M -j150 --halt now,fail=1 "test {} != 150 && exec sleep 1000" ::: {1..150}'"#
    )
    let times = result.error.split(separator: "\n").last?.split(separator: " ").compactMap { Double($0) } ?? []
    #expect(times.count == 2 && times.reduce(0, +) < 4, "\(result.error)")
  }

  @Test("U218: every process of a job gets SIGTERM once") func oneSignalEach() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    // They go on as long as the job's grace lasts.
    let result = try Tool.shell(
      #"""
      $M --timeout 1 'for i in $(seq 20); do
        bash -c "trap \"echo >> $D/terms\" TERM; while :; do sleep 0.05; done" &
      done; wait # {}' ::: 1
      wc -l < $D/terms
      """#, environment: ["D": folder.path])
    #expect(result.lines == ["20"])
  }

  @Test(
    "U219: a signal that finds the run ending already takes no job its grace", arguments: [SIGINT, SIGHUP, SIGTERM])
  func signalWhileEnding(signal: Int32) async throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let run = try Tool.Running(
      [
        "/bin/sh", "-c",
        #"""
        mkfifo $D/go
        exec $M -j2 --halt now,fail=1 ::: 'read x < $D/go; exit 1' \
          'trap "sleep 0.3; touch $D/clean; exit" TERM; echo > $D/go; while :; do sleep 0.05; done'
        """#,
      ], environment: ["D": folder.path])
    try await run.waitForMessage("no more jobs are started")
    kill(run.id, signal)
    #expect(try run.finished(within: 20).exitCode == 128 + signal)
    #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent("clean").path))
  }

  /// As the superuser without the right to signal others', and with that to become one.
  @Test(
    "U222: a job that may not be signalled holds nothing up, and is told of",
    .enabled("only the superuser can try that") {
      try getuid() == 0 && Tool.shell("exec setpriv --bounding-set -kill --inh-caps -kill true").exitCode == 0
    })
  func notToBeSignalled() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    for others in ["", "setpriv --reuid=65534 sleep 1000 & echo $! > $D/pid; "] {
      let own = others.isEmpty ? "echo $$ > $D/pid; exec setpriv --reuid=65534 sleep 1000" : "sleep 1000"
      let run = try Tool.Running(
        [
          "/bin/sh", "-c",
          "exec setpriv --bounding-set -kill --inh-caps -kill $M --timeout 0.5 '\(others)\(own) #' ::: 1",
        ], environment: ["D": folder.path])
      let result = try run.finished(within: 20)
      #expect(result.exitCode == 1 && result.error.contains("run on, for they could not be ended"), "\(result)")
      let left = try String(contentsOf: folder.appendingPathComponent("pid"), encoding: .utf8)
      #expect(kill(try #require(pid_t(left.dropLast())), SIGKILL) == 0)
    }
  }

  @Test("U223: a process with the number of another run's job is not ended") func foreignMarks() throws {
    let sleep = Self.uniqueSleep()
    let result = try Tool.shell(
      """
      exec bash -c 'PARALLEL_PID=$$ PARALLEL_SEQ=1 setsid sleep \(sleep) & echo $!; exec $M --timeout 0.3 "sleep 1000 #" ::: 1'
      """)
    #expect(result.error.contains("ran too long"))
    #expect(try isRunning(sleep))
    #expect(kill(try #require(result.lines.first.flatMap { pid_t($0) }), SIGKILL) == 0)
  }

  /// It takes the descriptors away from whoever waits for it, who has read something of it by then.
  @Test("U226: a job that cannot be waited for is ended") func notToBeWaitedFor() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let sleep = Self.uniqueSleep()
    let result = try Tool.shell(
      """
      timeout -s KILL 20 $M --lb 'echo begun; until grep -q begun $D/out; do sleep 0.01; done
        prlimit --pid $PPID --nofile=3:3; echo goes on; exec sleep \(sleep)' ::: 1 > $D/out
      """, environment: ["D": folder.path])
    #expect(result.exitCode == 1 && result.error.contains("cannot wait for a job"), "\(result)")
    #expect(try !isRunning(sleep))
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
