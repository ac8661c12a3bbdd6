#if Cluster
import Logging
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// A list that all workers read, and another within it.
private struct Lexicon: Codable, Sendable {
  var words: [String]
  var numbers: Shared<[Int]>
}

private struct LooksUp: StatelessWorker, Codable {
  var lexicon: Shared<Lexicon>
  var bytes: SharedBytes

  func process(_ item: Int) -> String {
    let number = lexicon.value.numbers.value[item]
    return "\(lexicon.value.words[number]) \(bytes.withUnsafeBytes { $0[item] })"
  }
}

private struct SaysWhatItHas: StatelessWorker, Codable {
  var lexicon: Shared<[String]>
  func process(_ item: Int) -> [String] { ["\(getpid())", lexicon.value[item]] }
}

private struct WritesIntoAll: StatelessWorker, Codable {
  var sums: SharedArray<Int>
  func process(_ item: Int) { sums[0] = item }
}

private struct Measured: Codable, Sendable {
  var name: String
  var values: SharedArray<Double>
}

private struct TakesCommonMemory: StatelessWorker {
  func process(_ item: Measured) -> Int { item.values.count }
}

private struct MakesCommonMemory: StatelessWorker {
  func process(_ item: Int) throws -> SharedCounter { try SharedCounter() }
}

extension Checked {
  /// What is shared on one machine, and what goes to others.
  @Suite(.timeLimit(.minutes(1))) struct SharedTests {
    private func withCluster(
      _ kind: QueueKind, processes: Bool, _ body: (WorkerPool) async throws -> Void
    ) async throws {
      try await withLab(kind) { lab in
        let launcher = HereLauncher(2) {
          var options = Agent.Options()
          options.slots = 2
          if !processes { options.backend = { .threads($0) } }
          return Agent(lab.client(), options, logger: Logger(label: "agent"))
        }
        try await withWorkerPool(.cluster(lab.client(), launcher, width: 4)) { try await body($0) }
      }
    }

    @Test(
      "what is only read goes along with its worker, whatever is shared within it", arguments: QueueKind.here,
      [false, true])
    func read(_ kind: QueueKind, processes: Bool) async throws {
      let lexicon = Shared(Lexicon(words: (0..<100).map { "word \($0)" }, numbers: Shared(Array((0..<100).reversed()))))
      let bytes = try SharedBytes((0..<100).map { UInt8($0) })
      try await withCluster(kind, processes: processes) { pool in
        let found = try await pool.map(0..<100, with: LooksUp(lexicon: lexicon, bytes: bytes))
        #expect(found == (0..<100).map { "word \(99 - $0) \($0)" })
      }
    }

    @Test(
      "an agent's worker processes have it from the agent, which got it with its worker",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"))
    func agents() async throws {
      let backend = WorkerPool.Backend.cluster(
        engine: .managed, launch: .local(agents: 2, slots: 2), lease: .seconds(5))
      try await withWorkerPool(backend) { pool in
        let lexicon = Shared((0..<200).map { "word \($0)" })
        let found = try await pool.map(0..<200, with: SaysWhatItHas(lexicon: lexicon))
        #expect(found.map { $0[1] } == lexicon.value)
        #expect(!found.contains { $0[0] == "\(getpid())" })
        let others = LooksUp(
          lexicon: Shared(Lexicon(words: lexicon.value, numbers: Shared(Array((0..<200).reversed())))),
          bytes: try SharedBytes((0..<200).map { UInt8($0) }))
        #expect(try await pool.map(0..<200, with: others) == (0..<200).map { "word \(199 - $0) \($0)" })
      }
    }

    @Test("U277: what is written is refused when the map begins, and it says what to use")
    func written() async throws {
      let sums = try SharedArray<Int>(count: 4)
      try await withCluster(.inMemory, processes: false) { pool in
        let error = await #expect(throws: WorkerPoolError.self) {
          try await pool.forEach(0..<4, with: WritesIntoAll(sums: sums))
        }
        #expect(error?.kind == .notTransportable)
        for words in ["WritesIntoAll", "configuration", "SharedArray<", "make it a Shared"] {
          #expect(says(error, words), "\(String(describing: error))")
        }
        let squares = try await pool.map([2], with: Square())
        #expect(squares == [4])
      }
    }

    @Test("U277: items and outputs that are such memory are refused when the map begins")
    func items() async throws {
      let item = Measured(name: "a", values: try SharedArray(count: 3))
      try await withCluster(.inMemory, processes: false) { pool in
        let input = await #expect(throws: WorkerPoolError.self) {
          try await pool.map([item], with: TakesCommonMemory())
        }
        let output = await #expect(throws: WorkerPoolError.self) {
          try await pool.map([1], with: MakesCommonMemory())
        }
        #expect(input?.kind == .notTransportable && output?.kind == .notTransportable)
        #expect(
          says(input, "its input") && says(input, "SharedArray<") && says(input, "Send a copy"),
          "\(String(describing: input))")
        #expect(says(output, "its output") && says(output, "SharedCounter"), "\(String(describing: output))")
      }
    }
  }
}
#endif
