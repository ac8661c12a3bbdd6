import Logging
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// Joins whose branches need more room than edges have.
  @Suite(.timeLimit(.minutes(1))) struct Standstills {
    /// Each item with a batch of so many.
    private func join(_ size: Int) -> Pipeline<Int, (Int, [Int])> {
      Pipeline<Int, (Int, [Int])>.graph { flow in
        let all = flow.map(with: AddX(amount: 0))
        return zip(all, all.batch(size))
      }
    }

    @Test("an edge that is widened is said to be, and why", arguments: [WorkerPool.Backend.serial, .threads(2)])
    func widening(backend: WorkerPool.Backend) async throws {
      let heard = Heard()
      try await withWorkerPool(backend, logger: heard.logger(.info)) { pool in
        let rows = try await join(400).list(of: 0..<800, on: pool)
        #expect(rows.map(\.0) == [0, 1])
      }
      let lines = heard.lines.filter { $0.message.hasPrefix("an edge of the pipeline is widened") }
      #expect(
        lines.first?.message
          == "an edge of the pipeline is widened, to 32 items: zip has 16 items from AddX before it and waits for Batch, which cannot go on before they are taken"
      )
      #expect(lines.count >= 2 && lines.allSatisfy { $0.level == .info && $0.metadata["edge"] != nil })
      let rooms = lines.compactMap { $0.message.split(separator: " ").compactMap { Int($0) }.first }
      #expect(rooms == lines.indices.map { 32 << $0 })
    }

    @Test("U273: a wide one is worth a notice, and never a warning: the layout has counted it")
    func level() async throws {
      let heard = Heard()
      try await withWorkerPool(.threads(2), logger: heard.logger(.info)) { pool in
        let rows = try await join(6_000).list(of: 0..<12_000, on: pool)
        #expect(rows.map(\.0) == [0, 1])
      }
      let lines = heard.lines.filter { $0.message.hasPrefix("an edge of the pipeline is widened") }
      #expect(lines.contains { $0.level == .notice } && lines.allSatisfy { $0.level <= .notice })
    }

    @Test("one that would have to be wider than edges may be ends the run, and both ends are named")
    func standstill() async throws {
      let error = await #expect(throws: PipelineError.self) { try await join(100_000).list(of: 0..<300_000) }
      #expect(error?.kind == .standstill && error?.stage.name == "zip")
      let text = "\(error!)"
      #expect(text.contains("zip has 65536 items from AddX before it and waits for Batch"))
      #expect(text.contains("may not become wider than 65536 items"))
    }
  }
}
