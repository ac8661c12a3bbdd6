import Millrace
import MillraceIPC
import Synchronization
import TestSupport

/// mpyx' `Count`: 1, 2, ….
struct CountTo: Source {
  var limit: Int

  func produce(_ out: Outlet<Int>) async throws {
    for number in stride(from: 1, through: limit, by: 1) { try await out.put(number) }
  }
}

struct AddX: StatelessWorker, Codable {
  var amount: Int
  func process(_ item: Int) -> Int { item + amount }
}

/// Numbers its items, and says at its end how many they were.
struct Tallying: Stage, Codable {
  var ledger: LineLedger?

  func setUp(_ context: StageContext, _ out: Outlet<Int>) -> Int {
    ledger?.note("up")
    return 0
  }
  func process(_ item: Int, state count: inout Int, _ out: Outlet<Int>) async throws {
    count += 1
    ledger?.note("\(item)")
    try await out.put(item)
  }
  func tearDown(_ count: consuming Int, _ out: Outlet<Int>) async throws {
    ledger?.note("down")
    try await out.put(-count)
  }
}

/// Hands on so many items, and wants no more.
struct FirstOnly: Stage, Codable {
  var count: Int

  func setUp(_ context: StageContext, _ out: Outlet<Int>) -> Int { 0 }
  func process(_ item: Int, state seen: inout Int, _ out: Outlet<Int>) async throws {
    seen += 1
    try await out.put(item)
    if seen == count { out.stop() }
  }
}

/// Where a stage fails.
struct FailsAt: Stage, Codable {
  enum Place: String, Codable, CaseIterable { case setUp, process, tearDown }
  var place: Place

  func setUp(_ context: StageContext, _ out: Outlet<Int>) throws { if place == .setUp { throw Refused(item: -1) } }
  func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) async throws {
    if place == .process, item == 3 { throw Refused(item: item) }
    try await out.put(item)
  }
  func tearDown(_ state: consuming Void, _ out: Outlet<Int>) throws {
    if place == .tearDown { throw Refused(item: -2) }
  }
}

/// What passed, in the order in which it did.
final class Passed<Item: Sendable>: Sendable {
  private let items = Lock<[Item]>([])
  func note(_ item: Item) { items.withLock { $0.append(item) } }
  var all: [Item] { items.withLock { $0 } }
}
