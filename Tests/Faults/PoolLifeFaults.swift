import CMillrace
import Foundation
import Logging
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// An input that cannot be decoded. What it holds has to be encoded: plain numbers would lie in the ring as they are.
private struct Illegible: Codable, Sendable {
  var text: String

  init(number: Int) { text = "\(number)" }

  init(from decoder: any Decoder) throws {
    text = try decoder.singleValueContainer().decode(String.self)
    if text == "7" { throw Misfortune() }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}

/// The item, and whose process it was in.
private struct Reading: StatelessWorker {
  func process(_ item: Illegible) -> [Int] { [Int(item.text) ?? -1, Int(getpid())] }
}

private struct Whoever: StatelessWorker {
  func process(_ item: Int) -> Int32 {
    usleep(1_000)
    return getpid()
  }
}

extension Faults {
  /// What pools go through as a whole, and what programs go through that have one.
  @Suite struct PoolLife {
    @Test("F08 an item that cannot be decoded", .forks, arguments: WorkerLife.processes)
    func f08(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var workers: Set<Int> = []
        var failed: [Int] = []
        let items = (0..<40).map(Illegible.init)
        for try await outcome in pool.outcomes(of: items, with: Reading(), options: MapOptions(chunking: .size(4))) {
          switch outcome.result {
          case .success(let output):
            #expect(output[0] == outcome.index)
            workers.insert(output[1])
          case .failure(let failure):
            failed.append(failure.index)
            expectCodingFailed(failure)
          }
        }
        #expect(failed == [7])
        #expect(workers.count <= 2, "a worker did not survive it")
      }
    }

    @Test("F23 workers leave for their age while single items come", arguments: Backends.apart.without(.sharesWorkers))
    func f23(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let (items, producer) = AsyncStream.makeStream(of: Int.self)
        let producing = Task {
          for item in 0..<60 {
            producer.yield(item)
            try await Task.sleep(for: .milliseconds(item % 7))
          }
          producer.finish()
        }
        let options = MapOptions(chunking: .size(1), lifespan: MapOptions.Lifespan(age: .milliseconds(3)))
        var outputs: [Int] = []
        for try await output in pool.outputs(of: items, with: Accident(deeds: [:]), options: options) {
          outputs.append(output)
        }
        #expect(outputs == (0..<60).map { $0 * 2 })
        try await producing.value
      }
    }

    @Test("F42 the program traps in what it makes of the outputs", .forks, arguments: ["forkServer", "spawn", "fork"])
    func f42(start: String) async throws {
      let code = try await onPlainThread {
        let program = try TestProgram(["adds", start], environment: ["SWIFT_BACKTRACE": "enable=no"])
        // Until nobody has its output open any more, its workers neither.
        _ = program.rest()
        return program.wait()
      }
      #expect(code == 1_000 + SIGILL)
    }

    @Test("F43 the thread that made the pool ends", .forks, arguments: WorkerLife.processes)
    func f43(backend: WorkerPool.Backend) async throws {
      let (pool, first) = try await onPlainThread {
        let pool = try WorkerPool(backend)
        let done = CommonCounter()
        let first = Task {
          defer { done.increment() }
          return try await pool.map(0..<100, with: Whoever())
        }
        while done.value == 0 { usleep(1_000) }
        return (pool, first)
      }
      let before = try await first.value
      // Longer than a thread takes to be gone.
      try await Task.sleep(for: .milliseconds(100))
      let after = try await pool.map(0..<100, with: Whoever())
      #expect(Set(after).isSubset(of: before))
      try await pool.shutdown()
    }

    @Test(
      "F52 a pool's end races with submissions, crashes and resizes",
      arguments: [(WorkerPool.Backend.threads(2), Accident.Deed.throwError, 2_000), (.processes(2), .killItself, 40)]
        .filter { ![$0.0].runnable.isEmpty })
    func f52(backend: WorkerPool.Backend, accident: Accident.Deed, rounds: Int) async throws {
      // Each item that a thread was given up with would be told.
      let silent = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
      for round in 0..<rounds {
        let pool = try WorkerPool(backend, logger: silent)
        let worker = Accident(deeds: [3: accident])
        let submitting = Task {
          (0..<8).compactMap { item -> Submission<Int>? in
            do {
              return try pool.submit(item, with: worker)
            } catch {
              #expect((error as? WorkerPoolError)?.kind == .closed, "round \(round): \(error)")
              return nil
            }
          }
        }
        let resizing = Task { try? pool.resize(to: round % 3 + 1) }
        for _ in 0..<round % 50 { await Task.yield() }
        if round % 2 == 0 { try await pool.shutdown() } else { try await pool.terminate() }
        for submission in await submitting.value {
          if let output = try? await submission.value { #expect(output % 2 == 0 && output != 6) }
          // Whoever waits and is cancelled leaves before. (Not the submission itself: what an expectation shows is copied.)
          let isFinished = submission.isFinished || Task.isCancelled
          #expect(isFinished)
        }
        _ = await resizing.value
        #expect(throws: WorkerPoolError.self) { _ = try pool.submit(1, with: worker) }
      }
    }

    @Test(
      "F52 the task that uses the pools is cancelled meanwhile", arguments: [WorkerPool.Backend.threads(2), .tasks(3)])
    func f52Cancelled(backend: WorkerPool.Backend) async throws {
      for round in 0..<100 {
        let using = Task { try await f52(backend: backend, accident: .throwError, rounds: 20) }
        for _ in 0..<round * 20 { await Task.yield() }
        using.cancel()
        _ = await using.result
      }
    }

    /// `scripts/soak` does it for longer.
    @Test("F71 workers are killed, stopped and resized for ten seconds", .forks, .timeLimit(.minutes(2)))
    func f71() async throws { try await expectSoak(["10"]) }

    /// `scripts/soak --cycles 10000` does it more often.
    @Test("F72 pools are made, used and ended again and again", .forks, .timeLimit(.minutes(2)))
    func f72() async throws { try await expectSoak(["cycles", "200"]) }

    private func expectSoak(_ words: [String]) async throws {
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram(words, of: "Soak")
        return (program.rest(), program.wait())
      }
      #expect(code == 0 && !lines.isEmpty, "\(lines.joined(separator: "\n"))")
    }

    @Test(
      "F73 the program has one CPU, and stands still half of the time", .forks, arguments: ["threads", "forkServer"])
    func f73(backend: String) async throws {
      let (lines, code) = try await onPlainThread {
        // This thread is gone afterwards; the program has its CPUs from it.
        try restrictToOneCPU()
        let program = try TestProgram(["patient", backend])
        while TestProgram.isRunning(program.id) {
          kill(program.id, SIGSTOP)
          usleep(50_000)
          kill(program.id, SIGCONT)
          usleep(UInt32.random(in: 10_000...90_000))
        }
        return (program.rest(), program.wait())
      }
      #expect(lines == ["running", "right"] && code == 0)
    }
  }
}

/// Leaves the calling thread the first of its CPUs.
private func restrictToOneCPU() throws {
  var cpu: Int32 = 0
  guard millrace_affinity_get(0, &cpu, 1) > 0, millrace_affinity_set(0, &cpu, 1) == 0 else { throw POSIXError(.EINVAL) }
}
