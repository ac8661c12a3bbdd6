import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Has a map of its own with a bar, which does not end.
struct WithBarInside: StatelessWorker {
  func process(_ item: Int) async throws -> Int {
    try await withWorkerPool(.tasks(2)) { pool in
      try await pool.map(0..<2, options: MapOptions(chunking: .size(1), progress: .bar("inner"))) { item in
        if item > 0 { try await Task.sleep(for: .seconds(600)) }
        return item
      }.count
    }
  }
}

private struct Trouble: Error {}

extension AcceptanceProgram {
  /// Maps that nobody shows: nothing is to be written to standard error.
  static func silent(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      for options in [MapOptions(), MapOptions(progress: .none)] {
        _ = try await pool.map(0..<1_000, with: Successor(), options: options)
        try await pool.forEach(0..<10, options: options) { $0 }
      }
    }
  }

  /// Short maps one after another, of which each says that it is done, and the program's end right behind the last.
  static func brief(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      for number in 0..<20 {
        try await pool.forEach(0..<3, with: Successor(), options: MapOptions(progress: .lines("map \(number)")))
      }
    }
  }

  /// Maps with bars, several at once and some in worker processes. When all have begun they stand still.
  static func bars(_ backend: WorkerPool.Backend) async throws {
    let caught = caughtSignals()
    try await withWorkerPool(.tasks(16)) { near in
      // One that fails: its error comes, its bar stays, and the pool goes on.
      do {
        try await near.forEach(0..<3, options: MapOptions(chunking: .size(1), progress: .bar("broken"))) { item in
          // Until it is seen.
          try await Task.sleep(for: .milliseconds(150))
          if item == 1 { throw Trouble() }
        }
      } catch let failure as ItemFailure where failure.index == 1 {}
      let now = caughtSignals()
      say(caught == now ? "no signal is caught" : "signals are caught: \(now), and before \(caught)")
      try await withWorkerPool(backend) { far in
        try await withThrowingTaskGroup(of: Void.self) { group in
          for name in ["日本", "👩‍👩‍👧", "plain"] {
            group.addTask {
              try await near.forEach(0..<4, options: MapOptions(chunking: .size(1), progress: .bar(name))) { item in
                if item > 0 { try await Task.sleep(for: .seconds(600)) }
              }
            }
          }
          group.addTask {
            let options = MapOptions(chunking: .size(1), dispatch: .roundRobin, progress: .bar("outer"))
            _ = try await far.map(0..<2, with: WithBarInside(), options: options)
          }
          try await group.waitForAll()
        }
      }
    }
  }

  /// The signals that have a handler, as the kernel says, but for those that the C library has for itself: bits in hexadecimal.
  private static func caughtSignals() -> String {
    guard let file = fopen("/proc/self/status", "r") else { return "" }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 1_024)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard text.hasPrefix("SigCgt:") else { continue }
      let digits = text.dropFirst("SigCgt:".count).filter(\.isHexDigit)
      return String((UInt64(digits, radix: 16) ?? 0) & 0x7fff_ffff, radix: 16)
    }
    return ""
  }
}
