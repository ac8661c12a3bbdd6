import Logging
import Millrace

// What "Progress" shows.

enum ProgressSnippets {
  static func bar(_ pool: WorkerPool, _ addresses: [String]) async throws -> [Int] {
    let lengths = try await pool.map(addresses, options: MapOptions(progress: .bar("pages"))) { $0.utf8.count }

    return lengths
  }

  static func severalBars(_ pool: WorkerPool, _ pages: [String], _ images: [String]) async throws -> ([Int], [Int]) {
    async let text = pool.map(pages, options: MapOptions(progress: .bar("pages"))) { $0.utf8.count }
    async let pixels = pool.map(images, options: MapOptions(progress: .bar("images", unit: "files"))) { $0.utf8.count }
    let both = try await (text, pixels)

    return both
  }

  struct Percentages: ProgressReporter {
    var label: String

    func report(_ state: ProgressState) {
      guard let fraction = state.fraction else { return }
      print("\(label): \(Int(fraction * 100)) %, \(state.failed) failed")
    }
  }

  static func custom(_ pool: WorkerPool, _ words: [String]) async throws {
    try await pool.forEach(words, options: MapOptions(progress: .custom(Percentages(label: "words")))) { $0.utf8.count }
  }

  /// Log lines above the bars.
  static func logging() {
    let logger = Logger(label: "crawler") { ProgressLogHandler(label: $0) }
    logger.warning("not found", metadata: ["page": "12"])
  }
}
