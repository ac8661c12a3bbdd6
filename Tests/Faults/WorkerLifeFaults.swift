import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Set-up that fails in its own way.
private struct Unfit: Worker, Codable {
  enum Way: String, Codable { case throwing, trapping, hanging }
  var way: Way
  /// The only slot that is unfit; nil: all.
  var slot: Int?

  func setUp(_ context: WorkerContext) throws {
    guard slot == nil || slot == context.slot else { return }
    switch way {
    case .throwing: throw Misfortune()
    case .trapping: abort()
    case .hanging: while true { usleep(1_000) }
    }
  }

  func process(_ item: Int, state: inout Void) -> Int {
    usleep(1_000)
    return item
  }
}

/// Writes its process number down when it is set up.
private struct Target: Worker, Codable {
  var ledger: LineLedger
  func setUp(_ context: WorkerContext) { ledger.note("\(getpid())") }
  func process(_ item: Int, state: inout Void) -> Int { item }
}

/// Tear-down that traps, after all outputs were sent.
private struct BadEnd: Worker {
  func process(_ item: Int, state: inout Void) -> Int { item }
  func tearDown(_ state: Void) { abort() }
}

/// Kills the worker whose number is in the file, or writes its own there.
private struct Feud: Worker, Codable {
  var ledger: LineLedger

  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: Int, state context: inout WorkerContext) throws -> Int {
    if item == 0, context.attempt == 1 {
      ledger.note("\(getpid())")
      while true { usleep(1_000) }
    }
    if item == 1 {
      while try ledger.lines.isEmpty { usleep(1_000) }
      kill(try pid_t(ledger.lines[0]) ?? 0, SIGKILL)
    }
    return item
  }
}

extension Faults {
  @Suite(.forks) struct WorkerLife {
    /// Backtraces have tests of their own, and take most of a second each.
    static let processes: [WorkerPool.Backend] = [WorkerPool.ProcessOptions.Start.forkServer, .spawn, .fork].map {
      .processes(2, WorkerPool.ProcessOptions(start: $0, environment: ["SWIFT_BACKTRACE": "enable=no"]))
    }

    private func expectSetUpFails(
      _ backend: WorkerPool.Backend, _ way: Unfit.Way, _ timeouts: MapOptions.Timeouts = MapOptions.Timeouts()
    ) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let error = await #expect(throws: WorkerPoolError.self) {
          _ = try await pool.map(0..<100, with: Unfit(way: way), options: MapOptions(timeouts: timeouts))
        }
        #expect(error?.kind == .setUpFailed)
        try await expectUsable(pool)
      }
    }

    @Test("F02 the program's file is deleted while it runs")
    func f02() async throws {
      let lines = try await onPlainThread {
        let copy = NSTemporaryDirectory() + "/millrace-deleted-\(UUID().uuidString)"
        let program = try TestProgram(["faulted", "spawn"], copiedTo: copy)
        unlink(copy)
        defer { _ = program.wait() }
        return program.rest()
      }
      #expect(lines == KillPoints.right)
    }

    @Test("F04 set-up throws", arguments: [WorkerPool.Backend.threads(2), .processes(2)])
    func f04(backend: WorkerPool.Backend) async throws { try await expectSetUpFails(backend, .throwing) }

    @Test("F05 set-up dies every time", arguments: processes)
    func f05(backend: WorkerPool.Backend) async throws { try await expectSetUpFails(backend, .trapping) }

    @Test("F06 set-up hangs in one slot, and the other goes on", arguments: processes)
    func f06(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        // The limit counts the start of a process too, which takes its time where many are started at once.
        let options = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(setUp: .seconds(1)))
        let outputs = try await pool.map(0..<1_500, with: Unfit(way: .hanging, slot: 1), options: options)
        #expect(outputs == Array(0..<1_500))
      }
    }

    @Test(
      "F09 F10 F11 an item ends its worker in every way", arguments: processes,
      [.trap, .overflowStack, .readNowhere, .exitCleanly, .exitAtOnce, .killItself] as [Accident.Deed])
    func f09(backend: WorkerPool.Backend, deed: Accident.Deed) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let found = try await failures(pool, 100, Accident(deeds: [37: deed]), MapOptions(chunking: .size(16)))
        #expect(Array(found.keys) == [37])
        let cause = try #require(found[37]?.cause)
        switch (deed, cause) {
        case (.trap, .crashed(let crash)): #expect(crash.kind == .trap)
        case (.overflowStack, .crashed(let crash)): #expect(crash.kind == .stackOverflow)
        case (.readNowhere, .crashed(let crash)): #expect(crash.kind == .signal && crash.signal == SIGSEGV)
        case (.killItself, .crashed(let crash)): #expect(crash.signal == SIGKILL)
        case (.exitCleanly, .exited(let code)): #expect(code == 0)
        case (.exitAtOnce, .exited(let code)): #expect(code == 3)
        default: Issue.record("\(deed) came to \(cause)")
        }
        try await expectUsable(pool)
      }
    }

    @Test(
      "F12 an item exhausts the memory that it may have",
      .disabled(if: AddressSanitizer.isOn, "the sanitizer's own memory is beyond any limit"))
    func f12() async throws {
      try await withWorkerPool(.processes(2)) { pool async throws in
        let found = try await failures(pool, 20, Accident(deeds: [7: .exhaustMemory]), MapOptions(chunking: .size(4)))
        guard case .crashed(let crash)? = found[7]?.cause, found.count == 1 else {
          Issue.record("\(found)")
          return
        }
        #expect(crash.kind == .outOfMemory)
        try await expectUsable(pool)
      }
    }

    @Test("F15 what a worker had sent before it died is kept, and not made again", arguments: processes)
    func f15(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool async throws in
          let worker = Accident(deeds: [9: .killItself], attempts: 1, ledger: ledger)
          let options = MapOptions(chunking: .size(16), retry: .upTo(1))
          #expect(try await failures(pool, 40, worker, options).isEmpty)
        }
        let runs = Dictionary(grouping: try ledger.lines, by: \.self).mapValues(\.count)
        #expect(runs.count == 41 && runs.values.allSatisfy { $0 == 1 } && runs["9 2"] == 1)
      }
    }

    @Test("F16 tear-down dies after its outputs were sent", arguments: processes)
    func f16(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let outputs = try await pool.map(0..<50, with: BadEnd(), options: MapOptions(keepsWorkers: false))
        #expect(outputs == Array(0..<50))
        try await expectUsable(pool)
      }
    }

    @Test("F18 all workers are killed at once", arguments: [1, 2, 5, 13])
    func f18(width: Int) async throws {
      try await withWorkerPool(.processes(width)) { pool async throws in
        let options = MapOptions(chunking: .size(1), retry: .upTo(1))
        let deeds = Dictionary(uniqueKeysWithValues: (0..<width).map { ($0, Accident.Deed.killItself) })
        #expect(try await failures(pool, 4 * width, Accident(deeds: deeds, attempts: 1), options).isEmpty)
        try await expectUsable(pool)
      }
    }

    @Test("F19 a worker kills its neighbour", arguments: processes)
    func f19(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool async throws in
          let options = MapOptions(chunking: .size(1), retry: .upTo(1))
          #expect(try await pool.map(0..<10, with: Feud(ledger: ledger), options: options) == Array(0..<10))
        }
      }
    }

    @Test("F20 an item stops its worker", arguments: processes)
    func f20(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let limit = Duration.milliseconds(200)
        let options = MapOptions(chunking: .size(4), timeouts: MapOptions.Timeouts(item: limit))
        let found = try await failures(pool, 20, Accident(deeds: [5: .stop]), options)
        #expect(Array(found.keys) == [5])
        try await expectUsable(pool)
      }
    }

    @Test(
      "F20 somebody stops an idle worker, and whoever waits for the pool's end does not wait for ever",
      arguments: processes)
    func f20Idle(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        let pool = try WorkerPool(backend)
        _ = try await pool.map(0..<20, with: Target(ledger: ledger))
        for line in try ledger.lines { kill(try #require(pid_t(line)), SIGSTOP) }
        let end = Task { try await pool.shutdown() }
        try await Task.sleep(for: .milliseconds(50))
        end.cancel()
        try await end.value
      }
    }

    @Test("F21 a worker closes everything and lives on", arguments: processes)
    func f21(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let options = MapOptions(chunking: .size(4), timeouts: MapOptions.Timeouts(item: .milliseconds(200)))
        let found = try await failures(pool, 20, Accident(deeds: [5: .closeEverything]), options)
        #expect(Array(found.keys) == [5])
        try await expectUsable(pool)
      }
    }

    @Test("F22 a lifespan of one item with much to do", arguments: [1, 2, 3])
    func f22(width: Int) async throws {
      for backend in [WorkerPool.Backend.processes(width), .threads(width)] {
        try await withWorkerPool(backend) { pool async throws in
          let options = MapOptions(chunking: .size(1), lifespan: MapOptions.Lifespan(items: 1))
          #expect(try await failures(pool, 40, Accident(deeds: [:]), options).isEmpty)
        }
      }
    }

    @Test(
      "F24 the pool is resized again and again while it works",
      arguments: [WorkerPool.Backend.threads(8), .processes(8)])
    func f24(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let widths = [12, 2, 1, 12, 6, 1, 8, 5]
        var index = 0
        let stream = pool.outputs(of: 0..<800, with: Accident(deeds: [:]), options: MapOptions(chunking: .size(2)))
        for try await output in stream {
          #expect(output == index * 2)
          if index % 100 == 0 { try pool.resize(to: widths[index / 100]) }
          index += 1
        }
        #expect(index == 800 && pool.width == 5)
      }
    }
  }
}
