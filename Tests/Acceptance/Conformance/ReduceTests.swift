import Foundation
import Millrace
import TestSupport
import Testing

extension Checked {
  /// One value of all outputs, wherever the code stands that makes it.
  @Suite struct Reducing {
    @MainActor static var factor = 2

    @MainActor
    @Test("U37: outputs and outcomes are reduced on the main actor, with what belongs to it")
    func mainActor() async throws {
      let pool = try WorkerPool(.threads(2))
      var taken: [Int] = []
      let sum = try await pool.outputs(of: 1...100, with: Times(factor: 2)).reduce(into: 0) { sum, output in
        MainActor.assertIsolated()
        taken.append(output)
        sum += output * Self.factor
      }
      #expect(sum == 20_200)
      #expect(taken == (1...100).map { $0 * 2 })
      #expect(try await pool.outputs(of: 1...100) { $0 }.reduce(0) { $0 + $1 * Self.factor } == 10_100)
      #expect(try await pool.outputs(of: 1...100) { $0 }.reduce(0, +) == 5_050)
      #expect(try await pool.outcomes(of: 1...3) { $0 }.reduce(into: 0) { $0 += try $1.output * Self.factor } == 12)
      #expect(try await pool.outcomes(of: 1...3) { $0 }.reduce(0) { try $0 + $1.output * Self.factor } == 12)
      try await pool.shutdown()
    }

    @MainActor
    @Test("U37: so they are in the scope of a pool on the main actor", arguments: Backends.Conforming.everything)
    func scope(backend: WorkerPool.Backend) async throws {
      let sum = try await withWorkerPool(backend) { pool in
        try await pool.outcomes(of: 0..<100, with: Times(factor: 3)).reduce(into: 0) { sum, outcome in
          MainActor.assertIsolated()
          sum += try outcome.output * Self.factor
        }
      }
      #expect(sum == 29_700)
    }

    @Test(
      "U37: so they are off it, and end their map when the closure throws", arguments: Backends.Conforming.everything)
    func nonisolated(backend: WorkerPool.Backend) async throws {
      struct Enough: Error {}
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.outputs(of: 0..<100, with: Times(factor: 2)).reduce(into: 0) { $0 += $1 } == 9_900)
        await #expect(throws: Enough.self) {
          try await pool.outputs(of: 0..., with: Times(factor: 2)).reduce(0) { sum, output in
            guard sum < 1_000 else { throw Enough() }
            return sum + output
          }
        }
        #expect(try await pool.run(1, with: AddOne()) == 2)
      }
    }
  }
}

/// In a program without the upcoming features of our own.
@Suite(.enabled(if: BuiltModules.folder != nil), .timeLimit(.minutes(2)))
struct ReduceInProgramTests {
  @Test(
    "U37: a program of the main actor's reduces, and uses the other forms as documented",
    arguments: [[], ["-default-isolation", "MainActor"]])
  func program(options: [String]) throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "reduce-\(UUID()).swift")
    let code = """
      import Millrace

      nonisolated final class Box { var count = 0 }

      @main struct Program {
        static var factor: Int { 2 }

        static func main() async throws {
          let sum = try await withWorkerPool(.threads(2)) { pool in
            try await pool.outcomes(of: 0..<10) { $0 }.reduce(into: 0) { sum, outcome in sum += try outcome.output }
          }
          let box = try await withWorkerPool(.threads(2)) { pool in
            try await pool.outputs(of: 0..<10) { $0 }.reduce(into: Box()) { box, output in box.count += output }.count
          }
          let other = try await withWorkerPool(.threads(2)) { pool in
            let outputs = pool.outputs(of: 0..<10) { $0 }
            var count = try await outputs.contains { @Sendable in $0 > 3 } ? 1 : 0
            count += try await outputs.first { @Sendable in $0 > 3 } ?? 0
            count += try await outputs.allSatisfy { @Sendable in $0 > 3 } ? 1 : 0
            count += try await outputs.min() ?? 0
            count += try await outputs.contains(3) ? 1 : 0
            for try await output in outputs.filter({ $0 > 3 }).map({ $0 + 1 }).prefix(2) { count += output }
            return count
          }
          print(sum, box, other)
        }

        @MainActor static func sum(_ pool: WorkerPool) async throws -> Int {
          var seen = 0
          return try await pool.outputs(of: [1, 2]) { $0 }.reduce(0) { sum, output in
            seen += 1
            return sum + output * factor
          } + seen
        }
      }

      actor Totals {
        var total = 0
        func add(_ pool: WorkerPool) async throws {
          total = try await pool.outputs(of: 0..<3) { $0 }.reduce(into: 0) { $0 += $1 + total }
        }
      }
      """
    try code.write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    // A whole compilation: what races is not looked for in a check of types alone.
    let words = ["swiftc", "-parse-as-library", "-swift-version", "6", "-emit-sil", "-o", "/dev/null"]
    let text = try BuiltModules.ask(words + options + [file.path])
    #expect(text == "", "\(text)")
  }
}
