import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Ends its worker where item 3 is, in a way that leaves less behind than a plain trap does.
private struct Mortal: StatelessWorker, Codable {
  enum Way: String, Codable, CaseIterable, Sendable {
    case outOfRange, overflowOnThread, trapWithoutHandlers, faultWhileBlocked, badCall
  }
  var way: Way

  func process(_ item: Int) -> Int { item == 3 ? die() : item }

  private func die() -> Int {
    switch way {
    case .outOfRange: return [1, 2, 3][item(99)]
    case .overflowOnThread:
      // Its thread has no stack for signals, so no handler runs.
      let thread = Thread { _exit(Int32(truncatingIfNeeded: Self.depth(of: 1))) }
      thread.start()
      while true { sleep(1) }
    case .trapWithoutHandlers:
      for signal in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT] { signalDefault(signal) }
      return [1, 2, 3][item(99)]
    case .faultWhileBlocked:
      var all = sigset_t()
      sigfillset(&all)
      pthread_sigmask(SIG_BLOCK, &all, nil)
      return Int(UnsafePointer<Int32>(bitPattern: 0x10)!.pointee)
    case .badCall:
      signalDefault(SIGSYS)
      raise(SIGSYS)
      return 0
    }
  }

  private func signalDefault(_ number: Int32) { signal(number, SIG_DFL) }
  @inline(never) private func item(_ number: Int) -> Int { number }

  @inline(never)
  private static func depth(of number: Int) -> Int {
    withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 16) { room in
      room[number % 1_024] = 1
      return number == Int.max ? 0 : depth(of: number + 1) + Int(room[number % 1_024])
    }
  }
}

/// Its set-up traps.
private struct BadStart: Worker, Codable {
  func setUp(_ context: WorkerContext) { fatalError("a bad start") }
  func process(_ item: Int, state: inout Void) -> Int { item }
}

extension Faults {
  /// What is said of a worker that ends by its own doing.
  @Suite(.forks) struct OwnDeaths {
    private func expectCrash(
      _ backend: WorkerPool.Backend, _ way: Mortal.Way, _ options: MapOptions = MapOptions(chunking: .size(2))
    ) async throws -> (ItemFailure, ItemFailure.Crash) {
      try await withWorkerPool(backend) { pool async throws in
        var found: [ItemFailure] = []
        for try await outcome in pool.outcomes(of: 0..<8, with: Mortal(way: way), options: options) {
          if case .failure(let failure) = outcome.result { found.append(failure) }
        }
        try await expectUsable(pool)
        guard case .crashed(let crash)? = found.first?.cause, found.count == 1, found[0].index == 3 else {
          throw Unlike(found: found.map { "\($0)" })
        }
        return (found[0], crash)
      }
    }

    private struct Unlike: Error { let found: [String] }

    /// The backtrace takes longer than the item may.
    @Test(
      "U31: an item that traps has trapped, however short its limit", .backtraces,
      arguments: [
        (WorkerPool.ProcessOptions(), 20), (WorkerPool.ProcessOptions(start: .spawn), 100),
        (WorkerPool.ProcessOptions(threadsPerProcess: 2), 20),
      ])
    func u31(process: WorkerPool.ProcessOptions, limit: Int) async throws {
      let options = MapOptions(chunking: .size(2), timeouts: MapOptions.Timeouts(item: .milliseconds(limit)))
      let (failure, crash) = try await expectCrash(.processes(2, process), .outOfRange, options)
      #expect(crash.kind == .trap)
      // Without names, which take seconds to find among those of all tests: most of what dying may take at all.
      #expect(failure.standardError.contains(" crashed:"), "no backtrace: \(failure.standardError)")
    }

    @Test("U31: a set-up that traps has trapped, however short its limit", .backtraces)
    func u31SetUp() async throws {
      try await withWorkerPool(.processes(1)) { pool async throws in
        let options = MapOptions(timeouts: MapOptions.Timeouts(setUp: .milliseconds(100)))
        let error = await #expect(throws: WorkerPoolError.self) {
          _ = try await pool.map(0..<4, with: BadStart(), options: options)
        }
        let cause = "\(error?.underlying as Any)"
        #expect(cause.contains("trapped"), "\(cause)")
        try await expectUsable(pool)
      }
    }

    /// Both at once, for each takes all of the time that dying may take.
    @Test("U31: a worker that does not come to an end of its crash is ended, without any limit", .backtraces)
    func u31Stuck() async throws {
      let tool = NSTemporaryDirectory() + "/backtracer-\(UUID().uuidString)"
      try "#!/bin/sh\nexec sleep 1000\n".write(toFile: tool, atomically: true, encoding: .utf8)
      defer { unlink(tool) }
      chmod(tool, 0o755)
      let environment = ["SWIFT_BACKTRACE": "swift-backtrace=\(tool)"]
      try await atOnce([WorkerPool.ProcessOptions.Start.forkServer, .spawn]) { start in
        let (_, crash) = try await expectCrash(
          .processes(2, WorkerPool.ProcessOptions(start: start, environment: environment)), .outOfRange)
        #expect(crash.kind == .trap)
      }
    }

    @Test("U15: a fault of the worker's own is its own without a record, too", arguments: WorkerLife.processes)
    func u15(backend: WorkerPool.Backend) async throws {
      for way in Mortal.Way.allCases {
        let (_, crash) = try await expectCrash(backend, way)
        switch way {
        case .outOfRange, .trapWithoutHandlers: #expect(crash.kind == .trap)
        case .overflowOnThread, .faultWhileBlocked: #expect(crash.kind == .signal && crash.signal == SIGSEGV)
        case .badCall: #expect(crash.kind == .signal && crash.signal == SIGSYS)
        }
      }
    }

    @Test(
      "U15: a program that reaps every child, or none, is told how its workers ended",
      arguments: ["spawn", "fork", "forkServer"], ["ignores", "reaps"])
    func u15Reaped(start: String, way: String) async throws {
      let lines = try await onPlainThread {
        let program = try TestProgram(["reaped", start, way], environment: ["SWIFT_BACKTRACE": "enable=no"])
        defer { _ = program.wait() }
        return program.rest()
      }
      #expect(lines.prefix(3) == ["exit: exited 3", "_exit: exited 4", "trap: trap"])
      // What the worker that called _exit had started.
      let child = try #require(lines.last.flatMap { Int32($0) })
      #expect(!TestProgram.isRunning(child))
    }
  }
}
