import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// Maps over items that lie in the ring as they are, over encoded ones and over large ones, all with retries and limits,
  /// while something happens to the workers or to this program; says what came of each map.
  static func faulted(_ start: String) async throws {
    let starts: [String: ProcessOptions.Start] = ["forkServer": .forkServer, "spawn": .spawn, "fork": .fork]
    guard let start = starts[start] else { exit(64) }
    let processes = ProcessOptions(start: start, grace: .milliseconds(100))
    try await withWorkerPool(.processes(2, processes)) { pool in
      let numbers = Array(0..<24)
      try await say("numbers", pool, numbers, Triple()) { $0 * 3 }
      try await say("words", pool, numbers.map(String.init), Repeat()) { "\($0) \($0)" }
      try await say("blocks", pool, (0..<6).map { [UInt8](repeating: $0, count: 128 << 10) }, Reverse()) {
        Array($0.reversed())
      }
    }
    say("over")
  }

  private static func say<W: Worker>(
    _ name: String, _ pool: WorkerPool, _ items: [W.Input], _ worker: W, expecting: (W.Input) -> W.Output
  ) async throws where W.Output: Equatable {
    let options = MapOptions(
      chunking: .size(4), retry: .retry(max: 3),
      timeouts: Timeouts(item: .milliseconds(400), setUp: .milliseconds(400), tearDown: .milliseconds(400)),
      keepsWorkers: false)
    var index = 0
    var right = 0
    var failures: [ItemFailure] = []
    for try await outcome in pool.outcomes(of: items, worker, options: options) {
      guard outcome.index == index else { return say("\(name): \(outcome.index) came instead of \(index)") }
      switch outcome.result {
      case .success(let output) where output == expecting(items[index]): right += 1
      case .success: return say("\(name): item \(index) came to something wrong")
      case .failure(let failure): failures.append(failure)
      }
      index += 1
    }
    say("\(name): \(right) right" + failures.map { ", \($0)" }.joined())
  }
}

struct Triple: Worker {
  func process(_ item: Int, _ state: inout Void) -> Int { item * 3 }
}

struct Repeat: Worker {
  func process(_ item: String, _ state: inout Void) -> String { "\(item) \(item)" }
}

struct Reverse: Worker {
  func process(_ item: [UInt8], _ state: inout Void) -> [UInt8] { item.reversed() }
}
