import Foundation
import Millrace

// What README.md and the overview of the documentation show.

struct CountWords: StatelessWorker {
  func process(_ path: String) throws -> Int {
    try String(contentsOfFile: path, encoding: .utf8).split(whereSeparator: \.isWhitespace).count
  }
}

struct Lines: Sequence, IteratorProtocol {
  func next() -> String? { readLine() }
}

enum OverviewSnippets {
  static func words(of paths: [String]) async throws {
    try await withWorkerPool(.processes(4)) { pool in
      for try await outcome in pool.outcomes(of: paths, with: CountWords()) {
        switch outcome.result {
        case .success(let words): print(outcome.input, words)
        case .failure(let failure): print(outcome.input, failure)
        }
      }
    }
  }

  static func powers(_ pool: WorkerPool) async throws {
    let powers = sequence(first: 1) { $0 < 1_000 ? $0 * 2 : nil }
    let logarithms = try await pool.map(powers) { $0.trailingZeroBitCount }
    print(logarithms)
  }

  static func shift(_ pool: WorkerPool) async throws {
    @MainActor func shifted(by offset: Int) async throws -> [Int] {
      try await pool.map((0..<10).lazy.map { @Sendable in $0 + offset }) { $0 * 2 }
    }
    print(try await shifted(by: 1))
  }

  static func anyLarge(_ pool: WorkerPool) async throws -> Bool {
    let isAnyLarge = try await pool.outputs(of: 1...100) { $0 * $0 }.contains { @Sendable in $0 > 5_000 }

    return isAnyLarge
  }

  static func oneLine(_ numbers: [Int]) -> [Int] {
    let squares = numbers.parallelMap { $0 * $0 }

    return squares
  }

  static func pool(_ words: [String]) async throws -> ([Int], Int) {
    let lengths = try await withWorkerPool(.threads(4)) { pool in
      try await pool.map(words) { $0.utf8.count }
    }

    var longest = 0
    try await withWorkerPool(.threads(4)) { pool in
      for try await length in pool.outputs(of: words, order: .completion, { $0.utf8.count }) {
        longest = max(longest, length)
      }
    }

    return (lengths, longest)
  }

  struct Query: Worker, Codable {
    var path: String

    func setUp(_ context: WorkerContext) throws -> FileHandle {
      FileHandle(forReadingAtPath: path) ?? .nullDevice
    }

    func process(_ offset: UInt64, state file: inout FileHandle) throws -> UInt8 {
      try file.seek(toOffset: offset)
      return try file.read(upToCount: 1)?.first ?? 0
    }

    func tearDown(_ file: FileHandle) throws {
      try file.close()
    }
  }
}
