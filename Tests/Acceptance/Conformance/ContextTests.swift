import Millrace
import Synchronization
import TestSupport
import Testing

/// Whose request it is; its value says when nobody holds it any more.
private enum Request {
  @TaskLocal static var id = 0
  @TaskLocal static var token: Token?
}

private final class Token: Sendable {
  let released: CommonCounter
  init(released: CommonCounter) { self.released = released }
  deinit { released.increment() }
}

/// Hands back whose request its items and its set-up belong to.
private struct Seen: Worker {
  func setUp(_ context: WorkerContext) -> Int { Request.id }
  func process(_ item: Int, state setUp: inout Int) async -> [Int] {
    await Task.yield()
    return [Request.id, await Task { Request.id }.value, setUp]
  }
}

/// The same without tasks, which a forked process must not make.
private struct SeenApart: StatelessWorker {
  func process(_ item: Int) -> Int { Request.id }
}

extension Checked {
  /// What an item sees of the task that made its map.
  @Suite struct Contexts {
    @Test("U2: items see the task-locals of the task that made their map, of 100 at once", arguments: Backends.shared)
    func ownValues(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let wrong = try await withThrowingTaskGroup(of: Int.self) { group in
          for id in 1...100 {
            group.addTask {
              try await Request.$id.withValue(id) {
                let mapped = try await pool.map(0..<8) { _ in
                  await Task.yield()
                  return Request.id
                }
                var streamed: [Int] = []
                for try await seen in pool.outputs(
                  of: 0..<4, options: MapOptions(chunking: .size(1)), { _ in Request.id })
                {
                  streamed.append(seen)
                }
                let submitted = try await pool.submit { Request.id }.value
                return (mapped + streamed + [submitted]).count { $0 != id }
              }
            }
          }
          return try await group.reduce(0, +)
        }
        #expect(wrong == 0)
        #expect(try await pool.map(0..<8) { _ in Request.id } == Array(repeating: 0, count: 8))
      }
    }

    @Test("U2: a worker that stays has nothing of the caller for whom it was set up", arguments: Backends.shared)
    func setUp(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for id in [7, 8] {
          let seen = try await Request.$id.withValue(id) { try await pool.map(0..<20, with: Seen()) }
          #expect(seen == Array(repeating: [id, id, 0], count: 20))
        }
      }
    }

    @Test("U2: worker processes see none", arguments: Backends.isolating)
    func processes(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let seen = try await Request.$id.withValue(9) {
          let closure = try await pool.map(0..<4) { _ in Request.id }
          return try await closure + pool.map(0..<4, with: SeenApart())
        }
        #expect(seen == Array(repeating: 0, count: 8))
      }
    }

    @Test("U2: the values are let go of with the map", arguments: Backends.Conforming.all.able(.runsClosures))
    func released(backend: WorkerPool.Backend) async throws {
      let released = CommonCounter()
      try await withWorkerPool(backend) { pool async throws in
        for round in 1...3 {
          let outputs = try await Request.$token.withValue(Token(released: released)) {
            try await pool.map(0..<9) { $0 }
          }
          #expect(outputs == Array(0..<9))
          await released.wait(for: round)
        }
      }
    }
  }
}
