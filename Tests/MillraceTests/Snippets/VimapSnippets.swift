import Foundation
import Millrace

// What "Coming from vimap" shows.

enum VimapSnippets {
  static func doubling() async throws -> [Int] {
    let outputs = try await withWorkerPool(.processes()) { pool in
      try await pool.map([1, 2, 3, 4], order: .completion) { $0 * 2 }
    }

    return outputs
  }

  struct ReadLine: Worker, Codable {
    var path: String
    var limit: Int

    func setUp(_ context: WorkerContext) throws -> FileHandle {
      guard let file = FileHandle(forReadingAtPath: path) else { throw CocoaError(.fileNoSuchFile) }
      return file
    }

    func process(_ offset: UInt64, state file: inout FileHandle) throws -> String {
      try file.seek(toOffset: offset)
      let bytes = try file.read(upToCount: limit) ?? Data()
      return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    func tearDown(_ file: FileHandle) throws { try file.close() }
  }

  static func resources(_ offsets: [UInt64], _ path: String) async throws -> [String] {
    try await withWorkerPool(.processes(2)) { pool in
      try await pool.map(offsets, with: ReadLine(path: path, limit: 200), order: .completion)
    }
  }

  static func pairs(_ pool: WorkerPool, _ inputs: [Int]) async throws -> [Int: Int] {
    var results: [Int: Int] = [:]
    for try await outcome in pool.outcomes(of: inputs, order: .completion, { try half($0) }) {
      switch outcome.result {
      case .success(let output): results[outcome.input] = output
      case .failure(let failure): print("Worker had an exception: \(failure)")
      }
    }
    return results
  }

  struct Odd: Error {}

  static func half(_ number: Int) throws -> Int {
    guard number % 2 == 0 else { throw Odd() }
    return number / 2
  }

  static func limits() -> MapOptions {
    let options = MapOptions(chunking: .size(10), window: .itemsPerWorker(100))

    return options
  }

  static func folding(_ pool: WorkerPool, _ paths: [String]) async throws -> Int {
    let words = try await pool.outcomes(of: paths, with: CountWords()).reduce(into: 0) { total, outcome in
      total += try outcome.output
    }

    return words
  }

  struct Tagged: Worker {
    func setUp(_ context: WorkerContext) -> Int { context.slot + 1 }
    func process(_ item: Int, state initial: inout Int) -> Int { item + initial }
  }
}
