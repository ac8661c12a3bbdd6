import Millrace
import TestSupport
import Testing

/// Options of backends that mean nothing.
@Suite struct BackendOptionTests {
  static let wrong: [(String, WorkerPool.Backend)] = [
    ("a name in environment", .processes(1, WorkerPool.ProcessOptions(environment: ["": "a"]))),
    ("a name in environment", .processes(1, WorkerPool.ProcessOptions(environment: ["A=B": "a"]))),
    ("a name in environment", .processes(1, WorkerPool.ProcessOptions(environment: ["A\0B": nil]))),
    ("environment[\"A\"]", .processes(1, WorkerPool.ProcessOptions(environment: ["A": "a\0b"]))),
    (
      "environment[\"A\"]",
      .processes(1, WorkerPool.ProcessOptions(environment: ["A": String(repeating: "a", count: 131_070)]))
    ),
    ("cpuIDs", .processes(1, WorkerPool.ProcessOptions(cpuIDs: []))), ("cpuIDs", .threads(1, cpuIDs: [])),
    ("cpuIDs", .threads(1, cpuIDs: WorkerPool.CPUIDs([[]]))),
    ("grace", .processes(1, WorkerPool.ProcessOptions(grace: .seconds(-1)))),
    ("threadsPerProcess", .processes(1, WorkerPool.ProcessOptions(threadsPerProcess: 0))), ("width", .threads(0)),
    ("threadsPerProcess", .processes(2, WorkerPool.ProcessOptions(start: .fork, threadsPerProcess: 2))),
  ]

  @Test("U6: options that mean nothing are refused, with their name, their value and what is allowed", arguments: wrong)
  func refused(name: String, backend: WorkerPool.Backend) throws {
    let error = #expect(throws: InvalidOption.self) { _ = try WorkerPool(backend) }
    #expect(error?.name == name)
    #expect(error.map { !"\($0)".contains("\0") && !$0.allowed.isEmpty } == true)
  }

  @Test("U6: all CPUs are the default, and can be said")
  func all() async throws {
    #expect(WorkerPool.ProcessOptions().cpuIDs == .all)
    try await withWorkerPool(.threads(1, cpuIDs: .all)) { pool async throws in
      #expect(try await pool.map([1]) { $0 } == [1])
    }
  }

  @Test("U6: a back-off whose longest delay is less than none is refused")
  func backoff() async throws {
    let options = MapOptions(retry: .upTo(1, backoff: .exponential(.seconds(1), maximum: .seconds(-1))))
    try await withWorkerPool(.serial) { pool async throws in
      _ = await #expect(throws: InvalidOption.self) { _ = try await pool.map([1], options: options) { $0 } }
    }
  }
}
