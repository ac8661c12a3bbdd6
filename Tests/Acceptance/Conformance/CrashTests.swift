import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Meets its fate at one item.
private struct Doomed: StatelessWorker, Codable {
  enum Fate: String, Codable, CaseIterable {
    case outOfRange, overflow, fatal, stackOverflow, exit, exitQuietly, killedFromOutside
  }
  var fate: Fate
  var at: Int
  /// Where the one who is to be killed says who it is.
  var fifo = ""

  func process(_ item: Int) -> Int {
    if item == at { meet() }
    return item * 2
  }

  private func meet() {
    switch fate {
    case .outOfRange: _ = [1, 2, 3][at + 3]
    case .overflow: _ = Int.max - 1 + at
    case .fatal: fatalError("the wheel is broken")
    case .stackOverflow: _ = endless(at)
    case .exit: Glibc.exit(3)
    case .exitQuietly: _exit(0)
    case .killedFromOutside:
      let descriptor = open(fifo, O_WRONLY)
      var pid = getpid()
      write(descriptor, &pid, MemoryLayout<pid_t>.size)
      while true { pause() }
    }
  }

  @inline(never)
  private func endless(_ depth: Int) -> Int {
    let room = [depth, depth + 1]
    return depth == .min ? 0 : endless(depth + 1) + room[depth % 2]
  }
}

extension Checked {
  /// A crash costs one item, never more.
  @Suite(.forks) struct Crashes {
    @Test("a trap in the middle of a chunk", arguments: Backends.isolating.each(with: [Doomed.Fate.outOfRange]))
    private func everyStart(backend: WorkerPool.Backend, fate: Doomed.Fate) async throws {
      try await check(backend, fate)
    }

    @Test("every way to die", arguments: Doomed.Fate.allCases.filter { $0 != .killedFromOutside })
    private func everyFate(fate: Doomed.Fate) async throws {
      // What the compiler checks inline is said by the backtrace alone, among the names of its frames.
      let environment = fate == .overflow ? Backtraces.named : [:]
      try await check(.processes(2, WorkerPool.ProcessOptions(environment: environment)), fate)
    }

    private func check(_ backend: WorkerPool.Backend, _ fate: Doomed.Fate) async throws {
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(64))
        let failure = try await onlyFailure(pool, Doomed(fate: fate, at: 100), options)
        switch fate {
        case .outOfRange:
          expectTrap(failure, "Index out of range")
        case .overflow:
          expectTrap(failure, "arithmetic overflow", isSaid: false)
        case .fatal:
          expectTrap(failure, "the wheel is broken")
        case .stackOverflow:
          if case .crashed(let crash) = failure.cause, crash.kind == .stackOverflow { break }
          Issue.record(failure)
        case .exit:
          if case .exited(code: 3) = failure.cause { break }
          Issue.record(failure)
        case .exitQuietly:
          if case .exited(code: 0) = failure.cause { break }
          Issue.record(failure)
        case .killedFromOutside: break
        }
        #expect(try await pool.map(0..<100, with: AddOne()) == Array(1...100))
      }
    }

    private func expectTrap(_ failure: ItemFailure, _ text: String, isSaid: Bool = true) {
      guard case .crashed(let crash) = failure.cause else {
        Issue.record("\(failure)")
        return
      }
      #expect(crash.kind == .trap && (crash.signal == SIGILL || crash.signal == SIGTRAP))
      #expect(failure.standardError.contains(text) || (AddressSanitizer.isOn && !isSaid))
      // What the compiler checks inline leaves its text to the backtrace; all else says "Fatal error".
      if isSaid {
        #expect(failure.standardError.contains("Fatal error") && failure.description.contains(text))
      }
    }

    /// Runs items 0..<200 and returns the one failure, which has to be item 100's.
    private func onlyFailure(_ pool: WorkerPool, _ worker: Doomed, _ options: MapOptions) async throws -> ItemFailure {
      let failures = try await failures(pool, worker, options)
      #expect(failures.map(\.index) == [100])
      return try #require(failures.first)
    }

    /// Runs items 0..<200 and returns the failures.
    private func failures(_ pool: WorkerPool, _ worker: Doomed, _ options: MapOptions) async throws -> [ItemFailure] {
      var failures: [ItemFailure] = []
      var index = 0
      for try await outcome in pool.outcomes(of: 0..<200, with: worker, options: options) {
        #expect(outcome.index == index && outcome.input == index)
        index += 1
        switch outcome.result {
        case .success(let output): #expect(output == outcome.input * 2)
        case .failure(let failure): failures.append(failure)
        }
      }
      #expect(index == 200)
      return failures
    }

    @Test("a worker that is killed from outside", arguments: Backends.isolating)
    func killed(backend: WorkerPool.Backend) async throws {
      let fifo = "\(NSTemporaryDirectory())/fifo-\(UUID().uuidString)"
      try #require(mkfifo(fifo, 0o600) == 0)
      let teller = open(fifo, O_RDWR)
      try #require(teller >= 0)
      // Where another thread of the process was being set up nobody knows whose the death was, and the item is tried by itself.
      let killer = Thread {
        let descriptor = open(fifo, O_RDONLY)
        var pid: pid_t = 0
        while read(descriptor, &pid, MemoryLayout<pid_t>.size) == MemoryLayout<pid_t>.size, pid > 1 {
          kill(pid, SIGKILL)
        }
        close(descriptor)
      }
      defer {
        var end: pid_t = 0
        write(teller, &end, MemoryLayout<pid_t>.size)
        close(teller)
        unlink(fifo)
      }
      killer.start()
      try await withWorkerPool(backend) { pool in
        let worker = Doomed(fate: .killedFromOutside, at: 100, fifo: fifo)
        let failures = try await failures(pool, worker, MapOptions(chunking: .size(64)))
        // Nobody can tell which thread of a process was meant: what they ran has failed.
        let threads = backend.description == Backends.crowded.description ? 2 : 1
        #expect(failures.contains { $0.index == 100 } && failures.count <= threads)
        for failure in failures {
          guard case .crashed(let crash) = failure.cause else {
            Issue.record("\(failure)")
            continue
          }
          #expect(crash.kind == .killedFromOutside && crash.signal == SIGKILL)
        }
        #expect(try await pool.map(0..<100, with: AddOne()) == Array(1...100))
      }
    }

    @Test("a closure that crashes", arguments: [WorkerPool.Backend.processes(3), Backends.crowded].runnable)
    func closure(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let rows = [[1], [], [3]]
        var failures: [Int] = []
        let outcomes = pool.outcomes(of: 0..<3) { rows[$0][0] }
        for try await outcome in outcomes {
          if case .failure(let failure) = outcome.result {
            failures.append(failure.index)
            expectTrap(failure, "Index out of range")
          } else {
            #expect(try outcome.output == rows[outcome.index][0])
          }
        }
        #expect(failures == [1])
      }
    }

    @Test("an item that keeps crashing is quarantined", arguments: [WorkerPool.Backend.processes(2)].runnable)
    func quarantine(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(64), retry: .upTo(10, maximumCrashes: 2))
        let failure = try await onlyFailure(pool, Doomed(fate: .exitQuietly, at: 100), options)
        guard case .quarantined(crashes: 2, .exited(code: 0)) = failure.cause else {
          Issue.record("\(failure)")
          return
        }
        #expect(failure.attempt == 2)
      }
    }

    @Test("a crash that a retry survives", arguments: Backends.isolating)
    func retried(backend: WorkerPool.Backend) async throws {
      let tries = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(16), retry: .upTo(2))
        let outputs = try await pool.map(0..<50, options: options) { item in
          if item == 20, tries.increment() == 1 { _exit(1) }
          return item
        }
        #expect(outputs == Array(0..<50) && tries.value == 2)
      }
    }

    @Test("many crashes, one after the other")
    func many() async throws {
      try await withWorkerPool(.processes(3)) { pool in
        let options = MapOptions(chunking: .size(8))
        let outputs = try await pool.map(0..<120, onFailure: .skip, options: options) { item in
          if item % 10 == 3 { _exit(1) }
          return item
        }
        #expect(outputs == (0..<120).filter { $0 % 10 != 3 })
      }
    }
  }
}
