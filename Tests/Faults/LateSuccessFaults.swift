import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Faults {
  /// What an item makes after its worker has begun to die.
  @Suite(.forks, .timeLimit(.minutes(2))) struct LateSuccesses {
    /// Their backtraces take a while, in which the end of its child wakes the item; those of a fork are the tests' own.
    static let backends: [WorkerPool.Backend] = [
      .processes(1, WorkerPool.ProcessOptions(environment: Backtraces.named)),
      .processes(2, WorkerPool.ProcessOptions(start: .spawn, environment: Backtraces.named)),
      .processes(4, WorkerPool.ProcessOptions(threadsPerProcess: 2, environment: Backtraces.named)),
      Backends.forking,
    ]

    @Test(
      "U15: an item whose thread traps is no success, though it is woken and returns", .backtraces,
      arguments: Woken.Way.allCases)
    func u15(way: Woken.Way) async throws {
      try await withWorkerPool(Self.backends[0]) { pool async throws in
        var failed: [Int] = []
        var outputs: [Int: String] = [:]
        for try await outcome in pool.outcomes(
          of: 0..<4, with: Woken(way: way), options: MapOptions(chunking: .size(2)))
        {
          switch outcome.result {
          case .success(let output): outputs[outcome.index] = output
          case .failure(let failure):
            failed.append(outcome.index)
            guard case .crashed(let crash) = failure.cause, crash.kind == .trap else {
              Issue.record("\(failure)")
              continue
            }
          }
        }
        #expect(failed == [1])
        #expect(outputs.keys.sorted() == [0, 2, 3] && outputs.values.allSatisfy { $0 == "right" }, "\(outputs)")
      }
    }

    @Test(
      "U15: the same with outputs that lie in place", .backtraces, arguments: backends)
    func u15InPlace(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var results: [Int: Int?] = [:]
        for try await outcome in pool.outcomes(of: 0..<4, with: WokenInPlace(), options: MapOptions(chunking: .size(2)))
        {
          results[outcome.index] = .some(try? outcome.result.get())
        }
        #expect(results == [0: 0, 1: nil, 2: 2, 3: 3])
      }
    }
  }
}

/// Has a thread trap, and waits for a command that ends because of that.
private func isWoken() {
  var child: pid_t = 0
  var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
  posix_spawnp(&child, "sleep", nil, nil, &arguments, environ)
  for argument in arguments { free(argument) }
  Thread { fatalError("in a thread of the item's") }.start()
  while waitpid(child, nil, 0) < 0, errno == EINTR {}
}

struct Woken: StatelessWorker, Codable {
  enum Way: String, Codable, CaseIterable, Sendable { case small, large, throwing }
  var way: Way
  private struct Wrong: Error {}

  func process(_ item: Int) throws -> String {
    guard item == 1 else { return "right" }
    isWoken()
    switch way {
    case .small: return "wrong"
    case .large: return String(repeating: "wrong", count: 1 << 18)
    case .throwing: throw Wrong()
    }
  }
}

private struct WokenInPlace: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    guard item == 1 else { return item }
    isWoken()
    return -1
  }
}
