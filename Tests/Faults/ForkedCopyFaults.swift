import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Forks in an item, or elsewhere, and returns in both processes: with another answer in the copy.
private struct Forking: Worker, Codable {
  enum Size: String, Codable, CaseIterable { case small, large }
  var size: Size
  var forksInSetUp = false

  func setUp(_ context: WorkerContext) -> Int { forksInSetUp ? split() : 0 }

  func process(_ item: Int, state: inout Int) async throws -> String {
    let isCopy = state + (forksInSetUp ? 0 : split())
    let answer = isCopy == 0 ? "right" : "wrong"
    return size == .large ? String(repeating: answer, count: 40_000) : answer
  }
}

private struct PlainForking: StatelessWorker, Codable {
  func process(_ item: Int) throws -> Int { item % 5 == 0 && split() != 0 ? -1 : item }
}

/// 1 in a copy of the process. Glibc's own name of it is kept from Swift.
private func split() -> Int {
  typealias Fork = @convention(c) () -> pid_t
  let fork = unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)
  let child = fork()
  if child == 0 { return 1 }
  // The copy is to say what it has to say first.
  var status: Int32 = 0
  while waitpid(child, &status, 0) < 0 && errno == EINTR {}
  return 0
}

extension Faults {
  /// U5: a copy of a worker that goes on.
  @Suite(.forks) struct ForkedCopies {
    @Test("U5: an item that calls fork, and both return: outputs that lie in the ring", arguments: WorkerLife.processes)
    func plain(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.map(0..<60, with: PlainForking()) == Array(0..<60))
        try await expectUsable(pool)
      }
    }

    @Test(
      "U5: an item that calls fork, and both return: outputs that are encoded", arguments: WorkerLife.processes,
      Forking.Size.allCases)
    fileprivate func encoded(backend: WorkerPool.Backend, size: Forking.Size) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let outputs = try await pool.map(0..<20, with: Forking(size: size), options: MapOptions(chunking: .size(5)))
        #expect(outputs.count == 20 && outputs.allSatisfy { $0.hasPrefix("right") })
        try await expectUsable(pool)
      }
    }

    @Test(
      "U5: a copy of the program, made by an item on a backend without processes, does nothing of the pool's",
      arguments: ["serial", "tasks", "threads"], ["item", "throws", "setUp", "tearDown", "ends"])
    func local(backend: String, place: String) async throws {
      let lines = try await onPlainThread {
        let program = try TestProgram(["copied", backend, place])
        defer { _ = program.wait() }
        return program.rest()
      }
      let first = place == "ends" ? "7" : "74"
      #expect(lines == [first + String(repeating: " 74", count: 7), "over"])
    }

    @Test("U5: a set-up that calls fork, and both return", arguments: WorkerLife.processes)
    func inSetUp(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let outputs = try await pool.map(0..<20, with: Forking(size: .small, forksInSetUp: true))
        #expect(outputs == [String](repeating: "right", count: 20))
        try await expectUsable(pool)
      }
    }
  }
}
