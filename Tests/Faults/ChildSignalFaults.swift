import Foundation
import Millrace
import MillraceTesting
import Synchronization
import TestSupport
import Testing

extension Faults {
  /// The ends of what items start, and who hears of them.
  @Suite(.forks, .timeLimit(.minutes(1))) struct ChildSignals {
    static let backends = [WorkerPool.Backend.processes(1), Backends.spawning, Backends.forking]

    @Test("U17: the end of a child does not wake its item out of what it waits in", arguments: backends)
    func u17Waits(backend: WorkerPool.Backend) async throws {
      let lefts = try await withWorkerPool(backend) { try await $0.map(0..<4, with: Waiting()) }
      #expect(lefts == [0, 0, 0, 0])
    }

    @Test("U17: a shell that an item starts waits for its own children", arguments: backends)
    func u17Shell(backend: WorkerPool.Backend) async throws {
      let statuses = try await withWorkerPool(backend) { try await $0.map([3, 4], with: Shell()) }
      #expect(statuses == [3 << 8, 4 << 8])
    }

    @Test("U17: an item that handles SIGCHLD hears of its children", arguments: backends)
    func u17Handler(backend: WorkerPool.Backend) async throws {
      #expect(try await withWorkerPool(backend) { try await $0.map([0], with: Listening()) } == [true])
    }

    @Test("U17: what went away by two forks goes with the item that passes its limit", arguments: backends)
    func u17Tree(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool async throws in
          let options = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(item: .seconds(1)))
          var failed: [Int] = []
          for try await outcome in pool.outcomes(of: 0..<3, with: Planting(ledger: ledger), options: options) {
            guard case .failure(let failure) = outcome.result else { continue }
            #expect(failure.cause.isTimeout)
            failed.append(outcome.index)
            let children = try ledger.lines.compactMap { Int32($0) }
            #expect(children.count == 3 && !children.contains { TestProgram.isRunning($0) })
          }
          #expect(failed == [1])
        }
      }
    }
  }
}

extension ItemFailure.Cause {
  fileprivate var isTimeout: Bool { if case .timedOut = self { true } else { false } }
}

private func start(_ words: String) -> pid_t {
  var child: pid_t = 0
  var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-c"), strdup(words), nil]
  posix_spawnp(&child, "sh", nil, nil, &arguments, environ)
  for argument in arguments { free(argument) }
  return child
}

/// Starts a command that ends while the item sleeps; what was left of the sleep, in microseconds.
private struct Waiting: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    let child = start("exit 0")
    var time = timespec(tv_sec: 0, tv_nsec: 400_000_000)
    var left = timespec()
    let result = nanosleep(&time, &left)
    let hasEnded = waitpid(child, nil, WNOHANG) == child
    return result == 0 && hasEnded ? 0 : hasEnded ? max(1, left.tv_nsec / 1_000) : -1
  }
}

/// The status of a shell that waits for a child of its own.
private struct Shell: StatelessWorker, Codable {
  func process(_ item: Int) -> Int32 {
    let child = start("(sleep 0.05; exit \(item)) & wait $!")
    var status: Int32 = -1
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    return status
  }
}

private let heard = Atomic(false)

/// Whether its own handler is called.
private struct Listening: StatelessWorker, Codable {
  func process(_ item: Int) -> Bool {
    signal(SIGCHLD) { _ in heard.store(true, ordering: .relaxed) }
    defer { signal(SIGCHLD, SIG_DFL) }
    let child = start("exit 0")
    while waitpid(child, nil, 0) < 0, errno == EINTR {}
    return heard.load(ordering: .relaxed)
  }
}

/// Item 1 has children of three kinds: its own, one in a session of its own, and one whose parent has left. None ends.
private struct Planting: StatelessWorker, Codable {
  var ledger: LineLedger

  func process(_ item: Int) -> Int {
    guard item == 1 else { return item }
    let stays = "echo $$ >> \(ledger.path); exec sleep 1000"
    _ = start(stays)
    _ = start("exec setsid sh -c '\(stays)'")
    let between = start("setsid sh -c '\(stays)' & exit 0")
    waitpid(between, nil, 0)
    // An end of a child's is no end of the item's.
    _ = sleep(1000)
    return item
  }
}
