import Foundation
import Millrace
import TestSupport
import Testing

/// Doubles its items, but for those that meet with an accident.
struct Accident: Worker, Codable {
  enum Deed: String, Codable, CaseIterable {
    case trap, overflowStack, readNowhere, exitCleanly, exitAtOnce, killItself, throwError
    /// For ever, and deaf to SIGTERM.
    case hang
    /// For ever, with a child that holds its descriptors.
    case hangWithChild
    /// For ever, with a child in a session of its own.
    case hangWithOrphan
    case stop, closeEverything, exhaustMemory
  }

  var deeds: [Int: Deed]
  /// How often an item may have been tried for the deed to be done still.
  var attempts = Int.max
  /// Where each item's attempt is noted, if anywhere.
  var ledger: LineLedger?

  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: Int, state context: inout WorkerContext) throws -> Int {
    ledger?.note("\(item) \(context.attempt)")
    if let deed = deeds[item], context.attempt <= attempts { try deed.perform() }
    return item * 2
  }
}

struct Misfortune: Error, Codable, Equatable {}

extension Accident.Deed {
  func perform() throws {
    switch self {
    case .trap: fatalError("an accident")
    case .overflowStack: exit(Int32(truncatingIfNeeded: Self.depth(of: 1)))
    case .readNowhere: exit(UnsafePointer<Int32>(bitPattern: 0x10)!.pointee)
    case .exitCleanly: exit(0)
    case .exitAtOnce: _exit(3)
    case .killItself: kill(getpid(), SIGKILL)
    case .throwError: throw Misfortune()
    case .hang:
      signal(SIGTERM, SIG_IGN)
      while true { usleep(1_000) }
    case .hangWithChild:
      Self.start(["sleep", "1000"])
      while true { usleep(1_000) }
    case .hangWithOrphan:
      Self.start(["sh", "-c", "setsid sleep 1000 &"])
      while true { usleep(1_000) }
    // This very thread, so that it does not come a step further.
    case .stop: pthread_kill(pthread_self(), SIGSTOP)
    case .closeEverything:
      for descriptor in Int32(3)..<256 { close(descriptor) }
      while true { usleep(1_000) }
    case .exhaustMemory:
      var limit = rlimit(rlim_cur: 1 << 30, rlim_max: 1 << 30)
      setrlimit(__rlimit_resource_t(9), &limit)
      var pieces: [[UInt8]] = []
      while true { pieces.append([UInt8](repeating: 1, count: 64 << 20)) }
    }
  }

  @inline(never)
  private static func depth(of number: Int) -> Int {
    withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 16) { room in
      room[number % 1_024] = 1
      return number == Int.max ? 0 : depth(of: number + 1) + Int(room[number % 1_024])
    }
  }

  private static func start(_ words: [String]) {
    var arguments = words.map { strdup($0) } + [nil]
    var child: pid_t = 0
    posix_spawnp(&child, words[0], nil, nil, &arguments, environ)
  }
}

/// Runs items 0..<count: each has its one outcome, in order, twice the item if it is an output.
///
/// - Returns: the failures, by their items.
func failures(
  _ pool: WorkerPool, _ count: Int, _ worker: Accident, _ options: MapOptions = MapOptions()
) async throws -> [Int: ItemFailure] {
  var failures: [Int: ItemFailure] = [:]
  var index = 0
  for try await outcome in pool.outcomes(of: 0..<count, with: worker, options: options) {
    #expect(outcome.index == index && outcome.input == index)
    switch outcome.result {
    case .success(let output): #expect(output == index * 2)
    case .failure(let failure): failures[index] = failure
    }
    index += 1
  }
  #expect(index == count)
  return failures
}

/// The item, or what it came to, threw when it was encoded or decoded.
func expectCodingFailed(_ failure: ItemFailure) {
  guard case .undecodable(let error) = failure.cause else {
    Issue.record(failure)
    return
  }
  #expect(error is Misfortune)
}

/// A pool that has been through something still works.
func expectUsable(_ pool: WorkerPool) async throws {
  #expect(try await pool.map(0..<100, with: Accident(deeds: [:])) == (0..<100).map { $0 * 2 })
}
