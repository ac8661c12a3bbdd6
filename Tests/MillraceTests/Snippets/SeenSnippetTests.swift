import Millrace
import MillraceTesting
import Testing

/// What the documents show of progress and insights does what they say.
@Suite(.serialized, .leakChecked, .timeLimit(.minutes(1)))
struct SeenSnippetTests {
  @Test func progress() async throws {
    try await withWorkerPool(.threads(2)) { (pool) async throws in
      #expect(try await ProgressSnippets.bar(pool, ["a", "bcd"]) == [1, 3])
      let (pages, images) = try await ProgressSnippets.severalBars(pool, ["a"], ["bc", ""])
      #expect(pages == [1] && images == [2, 0])
      try await ProgressSnippets.custom(pool, ["a", "b"])
    }
  }

  @Test func insights() async throws {
    let insights = try await InsightsSnippets.insights(["a", "bc"])
    #expect(insights.total.items == 2)
  }

  @Test func mpire() async throws {
    try await withWorkerPool(.threads(4)) { (pool) async throws in
      let (squares, cubes, sums) = try await MpireSnippets.bars(pool)
      #expect(squares == (0..<100).map { $0 * $0 } && cubes == (0..<100).map { $0 * $0 * $0 })
      #expect(sums.map(\.count) == [100, 100, 100, 100])
      let insights = try await MpireSnippets.insights(pool)
      #expect(insights.total.items == 100)
    }
  }
}
