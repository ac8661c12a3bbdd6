import Foundation
import Millrace

// What "Insights" shows.

enum InsightsSnippets {
  static func insights(_ words: [String]) async throws -> Insights {
    let pool = try WorkerPool(.threads(2))
    pool.recordInsights()
    let lengths = try await pool.map(words) { $0.utf8.count }
    print(pool.insights)

    _ = lengths
    let insights = pool.insights
    print(insights.total.times.working, insights.total.times.workingRatio ?? 1, insights.items.p99)
    for item in insights.longest { print(item.indices, item.elapsed) }

    let json = try JSONEncoder().encode(insights)
    try pool.timelineSVG()?.write(toFile: "/dev/null", atomically: false, encoding: .utf8)

    _ = json
    print(pool.stateLine)
    print(pool.describe())

    try await pool.shutdown()
    return insights
  }
}
