import Foundation
import Logging
import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Faults {
  /// What stands in the way of a pool's end, or of a program's.
  @Suite(.forks) struct Endings {
    private func run(
      _ words: [String], environment: [String: String] = [:], through command: [String] = []
    ) async throws -> (code: Int32, lines: [String]) {
      try await onPlainThread {
        let program = try TestProgram(words, environment: environment, through: command)
        // What it prints is read afterwards only.
        let code = program.wait()
        return (code, program.rest())
      }
    }

    @Test("U12: somebody has stopped the fork server", arguments: ["shutdown", "terminate", "map"])
    func u12Server(how: String) async throws {
      let (code, _) = try await run(["ends", "forkServer", "server", how])
      #expect(code == 0)
    }

    @Test(
      "U12: somebody has stopped the idle workers, and nothing has a limit",
      arguments: ["forkServer", "spawn", "fork"],
      ["shutdown", "terminate"])
    func u12Workers(start: String, how: String) async throws {
      let (code, _) = try await run(["ends", start, "workers", how])
      #expect(code == 0)
    }

    /// It waits for the limit on that.
    @Test("U12: nobody reads what the program prints")
    func u12Reader() async throws {
      try await atOnce(["shutdown", "terminate"]) { how in
        let (code, lines) = try await run(["ends", "forkServer", "read", how])
        #expect(code == 0 && lines.count > 1, "\(how)")
      }
    }

    @Test(
      "U12: the program may not signal its workers any more",
      .enabled(if: getuid() == 0, "only root can become another"),
      arguments: ["forkServer", "spawn", "fork"], ["shutdown", "terminate"])
    func u12User(start: String, how: String) async throws {
      let (code, _) = try await run(["ends", start, "user", how])
      #expect(code == 0)
    }

    @Test(
      "U17: what is deaf to SIGTERM, in a session of its own, goes with the item that started it",
      arguments: [WorkerPool.Backend.processes(2), Backends.spawning, Backends.forking])
    func u17(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool async throws in
          let options = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(item: .milliseconds(500)))
          var failed = 0
          for try await outcome in pool.outcomes(of: 0..<4, with: Stubborn(ledger: ledger), options: options) {
            if case .failure = outcome.result { failed += 1 }
          }
          #expect(failed == 1)
          let child = try #require(try ledger.lines.first.flatMap { Int32($0) })
          #expect(!TestProgram.isRunning(child))
        }
      }
    }

    @Test(
      "U17: the first of all processes keeps no zombies",
      .enabled("namespaces are not allowed here") {
        try await onPlainThread { try TestProgram([], through: Self.alone + ["true"]).wait() == 0 }
      }, arguments: ["forkServer", "spawn", "fork"])
    func u17First(start: String) async throws {
      let (code, lines) = try await run(["first", start], through: Self.alone)
      #expect(code == 0 && lines == ["0 left"])
    }

    static let alone = ["unshare", "-Urpf", "--mount-proc"]

    @Test(
      "U17: a worker keeps no zombies of what its commands leave behind",
      arguments: [WorkerPool.Backend.processes(1), Backends.forking])
    func u17Zombies(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let options = MapOptions(timeouts: MapOptions.Timeouts(item: .seconds(20)))
        #expect(try await pool.map(0..<2, with: Zombies(), options: options) == [0, 0])
      }
    }

    @Test(
      "U17: when the end of a pool returns, no descriptor of it is open",
      arguments: ["forkServer", "spawn", "fork"], ["map", "unused", "prints"])
    func u17Descriptors(start: String, how: String) async throws {
      let (code, lines) = try await run(["closed", start, how])
      #expect(code == 0 && lines.last == "0 late", "\(lines.last ?? "")")
    }

    @Test(
      "U19: what a library prints when it is loaded, and when the program ends, is printed once",
      arguments: ["forkServer", "spawn", "fork"])
    func u19(start: String) async throws {
      let (code, lines) = try await run(["lastWords", start], environment: ["MILLRACE_TEST_INITIALISER": "1"])
      #expect(code == 0)
      #expect(lines.sorted() == ["initialised", "left", "over", "slot 0 ends", "slot 1 ends"])
    }

    @Test(
      "U231: exit handlers of a worker's code come to their end",
      arguments: [WorkerPool.Backend.processes(2), Backends.spawning])
    func u231(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool async throws in
          let options = MapOptions(chunking: .size(1))
          #expect(try await pool.map(0..<2, with: Leaver(ledger: ledger), options: options) == [0, 1])
        }
        let lines = try ledger.lines
        let begun = lines.filter { $0 == "begins" }.count
        #expect(begun >= 1 && lines.filter { $0 == "ends" }.count == begun, "\(lines)")
      }
    }

    @Test("U231: one that has no end is ended, and that is said")
    func u231Endless() async throws {
      let heard = Heard()
      try await LineLedger.with { ledger in
        try await withWorkerPool(.processes(1), logger: heard.logger()) { pool async throws in
          #expect(try await pool.map([0], with: Leaver(ledger: ledger, pause: 1_000_000_000)) == [0])
        }
        #expect(try ledger.lines == ["begins"])
      }
      #expect(heard.messages(at: .warning).filter { $0.contains("did not end within") }.count == 1, "\(heard.lines)")
    }

    @Test(
      "U22: workers begin where the program was when their pool was made", arguments: ["forkServer", "spawn", "fork"])
    func u22(start: String) async throws {
      let (code, lines) = try await run(["moves", start])
      #expect(code == 0 && lines == ["/usr before here 27"])
    }
  }
}

/// Registers an exit handler that takes its time, in microseconds.
private struct Leaver: Worker, Codable {
  var ledger: LineLedger
  var pause: UInt32 = 300_000

  func setUp(_ context: WorkerContext) {
    leaving = self
    atexit {
      leaving?.ledger.note("begins")
      usleep(leaving?.pause ?? 0)
      leaving?.ledger.note("ends")
    }
  }

  func process(_ item: Int, state: inout Void) -> Int {
    usleep(20_000)
    return item
  }
}

nonisolated(unsafe) private var leaving: Leaver?

/// Item 1 starts what will not end, says its number, and does not end either.
private struct Stubborn: StatelessWorker, Codable {
  var ledger: LineLedger

  func process(_ item: Int) -> Int {
    guard item == 1 else { return item }
    let words = "trap '' TERM; setsid sh -c 'echo $$ >> \(ledger.path); exec sleep 1000' & wait"
    var child: pid_t = 0
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-c"), strdup(words), nil]
    posix_spawnp(&child, "sh", nil, nil, &arguments, environ)
    while true { usleep(10_000) }
  }
}

/// Runs commands that leave processes behind, and waits until none of those is a zombie; it waits for the commands late.
private struct Zombies: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    for _ in 0..<20 {
      var child: pid_t = 0
      var arguments: [UnsafeMutablePointer<CChar>?] = [
        strdup("sh"), strdup("-c"), strdup("sleep 0.01 & sleep 0.01 &"), nil,
      ]
      posix_spawnp(&child, "sh", nil, nil, &arguments, environ)
      usleep(20_000)
      var status: Int32 = 0
      guard waitpid(child, &status, 0) == child else { return -1 }
    }
    while descendants(of: getpid()).contains(where: { !TestProgram.isRunning($0) }) { usleep(10_000) }
    return 0
  }
}
