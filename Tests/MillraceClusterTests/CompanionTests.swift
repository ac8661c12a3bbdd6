#if Cluster
import Logging
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

/// A word that the items of a map see.
struct AroundItems: SentSurroundings {
  @TaskLocal static var word = ""

  let text: String
  let surroundsItems: Bool

  init(_ text: String, surroundsItems: Bool) { (self.text, self.surroundsItems) = (text, surroundsItems) }

  init(bytes: UnsafeRawBufferPointer) throws {
    surroundsItems = bytes.first == 1
    text = String(decoding: bytes.dropFirst(), as: UTF8.self)
  }

  var baggage: Baggage { Baggage(AroundItems.self, [surroundsItems ? 1 : 0] + Array(text.utf8)) ?? Baggage() }

  func around<Result>(_ body: () async throws -> Result) async rethrows -> Result {
    try await Self.$word.withValue(text) { try await body() }
  }

  func aroundItem(_ index: Int, attempt: Int, _ body: () async -> _RunEnd) async -> _RunEnd {
    await Self.$word.withValue("\(text) \(index)", operation: body)
  }
}

/// Goes along with a pool's maps, and says what it has been told to.
private final class Crier: PoolCompanion, MapCompanion {
  let around: AroundItems

  init(_ around: AroundItems) { self.around = around }

  func companion(of map: MapDescription) -> any MapCompanion { self }
  func belongs(to job: JobID) {}
  func refused(_ error: any Error) {}
  func surroundings(ofChunk id: Int) -> any ChunkSurroundings { around }
}

private struct Hears: StatelessWorker, Codable {
  func process(_ item: Int) -> String { AroundItems.word }
}

extension Checked {
  @Suite("What goes around chunks, on agents") struct CompanionTests {
    @Test(
      "U258: goes around their items, in an agent and in its worker processes",
      arguments: [WorkerPool.Backend.threads(2), .processes(2)], [false, true])
    func around(_ backend: WorkerPool.Backend, surroundsItems: Bool) async throws {
      try await withLab(.inMemory) { lab in
        let launcher = HereLauncher(2) {
          var options = Agent.Options()
          options.slots = 2
          options.backend = { _ in backend }
          return Agent(lab.client(lease: .seconds(2)), options, logger: Logger(label: "agent"))
        }
        try await withWorkerPool(.cluster(lab.client(lease: .seconds(2)), launcher, width: 4)) { pool in
          let silent = try await pool.map(0..<2, with: Hears())
          #expect(silent == ["", ""])
          pool.company.join(Crier(AroundItems("a word", surroundsItems: surroundsItems))) { _ in }
          let heard = try await pool.map(0..<20, with: Hears(), options: MapOptions(chunking: .size(3)))
          #expect(heard == (0..<20).map { surroundsItems ? "a word \($0)" : "a word" })
        }
      }
    }
  }
}
#endif
