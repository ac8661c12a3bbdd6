import Millrace
import TestSupport
import Testing

/// Opens as many as it is told, one after the other, and says so; the last of them cannot be opened if it is `broken`.
private struct Several: Worker, Codable {
  var count: Int
  var isBroken = false
  var refusesToClose: Int?
  var ledger: LineLedger

  func setUp(_ context: WorkerContext) async throws -> Resources<Int> {
    try await Resources { opening in
      for number in 1...count {
        if isBroken, number == count { throw Refused(item: number) }
        ledger.note("open \(number)")
        opening.add(number) { [ledger, refusesToClose] number in
          ledger.note("close \(number)")
          if number == refusesToClose { throw Refused(item: number) }
        }
      }
      return count
    }
  }

  func process(_ item: Int, state: inout Resources<Int>) throws -> Int {
    if item < 0 { throw Refused(item: item) }
    state.value += item
    return state.value
  }
}

/// A state that closes itself, without anything else.
private struct Door: ClosableState {
  var ledger: LineLedger
  func close() { ledger.note("close the door") }
}

private struct WithDoor: Worker, Codable {
  var ledger: LineLedger
  func setUp(_ context: WorkerContext) -> Door { Door(ledger: ledger) }
  func process(_ item: Int, state: inout Door) -> Int { item }
}

extension Checked {
  /// Resources that close by themselves.
  @Suite struct Closing {
    @Test(
      "several resources are closed in reverse, once, also after an item threw",
      arguments: Backends.Conforming.everything + Backends.remote)
    func reverse(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        let pool = try WorkerPool(backend)
        let worker = Several(count: 3, ledger: ledger)
        await #expect(throws: ItemFailure.self) { try await pool.map([1, -1], with: worker) }
        try await pool.shutdown()
        let lines = try ledger.lines
        #expect(lines.filter { $0 == "open 1" }.count == lines.count / 6 && !lines.isEmpty)
        if pool.width == 1 {
          #expect(lines == ["open 1", "open 2", "open 3", "close 3", "close 2", "close 1"])
        } else {
          // Workers close side by side, each in its order.
          #expect(lines.filter { $0.hasPrefix("close") }.prefix(1) == ["close 3"] && lines.last == "close 1")
        }
      }
    }

    @Test("where the last cannot be opened, those before it are closed", arguments: Backends.Conforming.everything)
    func half(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        let pool = try WorkerPool(backend)
        let error = await #expect(throws: WorkerPoolError.self) {
          try await pool.map([1], with: Several(count: 3, isBroken: true, ledger: ledger))
        }
        #expect(error?.kind == .setUpFailed && error?.underlying as? Refused == Refused(item: 3))
        try await pool.shutdown()
        let lines = try ledger.lines
        for number in [1, 2] {
          #expect(lines.count { $0 == "open \(number)" } == lines.count { $0 == "close \(number)" })
        }
        #expect(lines.contains("close 1") && !lines.contains("open 3"))
      }
    }

    @Test(
      "one that cannot be closed keeps no other open, and is the tear-down's error",
      arguments: Backends.Conforming.everything)
    func refusal(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        let worker = Several(count: 3, refusesToClose: 2, ledger: ledger)
        try await withWorkerPool(backend) { pool async throws in
          _ = try await pool.map([1], with: worker)
          for exit in try await pool.tearDown(worker) {
            #expect(throws: Refused(item: 2)) { try exit.result.get() }
          }
        }
        let lines = try ledger.lines
        #expect(lines.count { $0 == "close 1" } == lines.count { $0 == "open 1" })
      }
    }

    @Test(
      "U275: a state that closes itself needs no tear-down", arguments: Backends.Conforming.everything + Backends.remote
    )
    func door(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        let pool = try WorkerPool(backend)
        #expect(try await pool.map([1], with: WithDoor(ledger: ledger)) == [1])
        try await pool.shutdown()
        #expect(try Set(ledger.lines) == ["close the door"])
      }
    }
  }
}
