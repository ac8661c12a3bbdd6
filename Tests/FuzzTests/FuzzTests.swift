import Foundation
import Fuzz
import Millrace
import MillraceTesting
import Testing

/// The bytes of a target's seeds.
private struct CaseBytes: StatelessWorker, Codable {
  var target: String

  func process(_ seed: Int) throws -> [UInt8] {
    try FuzzTargets.named(target).map { try FuzzCase($0, seed: UInt64(seed)).bytes } ?? []
  }
}

@Suite("Hostile bytes", .serialized, .leakChecked, .timeLimit(.minutes(1)))
struct FuzzTests {
  /// Some tenths of a second each without optimisation; `scripts/test` tries 10,000 each with a release build.
  static let counts: [String: UInt64] = [
    "value": 600, "payload": 1_200, "error": 600, "type": 2_400, "frame": 300, "lane": 300, "page": 600,
    "segment": 400, "control": 1_200, "server": 1_200, "output": 400, "chunk": 1_200,
  ]

  @Test("whatever another process writes is refused, or is what it says", arguments: FuzzTargets.all.map(\.name))
  func seeds(target: String) async throws {
    let count = try #require(Self.counts[target])
    let run = FuzzRun(target: target, first: 0, count: count)
    // A trap is a failure of its seed, where there can be processes.
    let tally = try await ThreadSanitizer.isOn ? run.here() : run.onPool()
    for problem in tally.problems { Issue.record("seed \(problem.seed): \(problem.text)\n\(problem.hex)") }
    #expect(tally.count == Int(count))
    // Neither is all of it nonsense nor none.
    #expect(tally.accepted > tally.count / 50)
    #expect(tally.refused > 0)
  }

  @Test("a seed says everything, in every process", .forks, arguments: FuzzTargets.all.map(\.name))
  func isDeterministic(name: String) async throws {
    let target = try #require(FuzzTargets.named(name))
    let here = try (0..<60).map { try FuzzCase(target, seed: $0).bytes }
    // One with other random numbers of its own, by which it orders its sets.
    let elsewhere = try await withWorkerPool(.processes(1, WorkerPool.ProcessOptions(start: .spawn))) { pool in
      try await pool.map(0..<60, with: CaseBytes(target: name))
    }
    #expect(here == elsewhere)
    #expect(Set(here).count > 30)
  }

  @Test("hexadecimal digits are read back, and nothing else is")
  func hex() throws {
    let bytes = try FuzzCase(FuzzTargets.all[0], seed: 3)
    #expect(FuzzCase.bytes(hex: "# a comment\n\(bytes.hex)\n") == bytes.bytes)
    #expect(FuzzCase.bytes(hex: "00 ff\n7f") == [0, 255, 127])
    #expect(FuzzCase.bytes(hex: "0") == nil)
    #expect(FuzzCase.bytes(hex: "0g") == nil)
  }

  /// A finding, as a file in `Corpus`: what it came to says its first line, "# refused" or "# accepted".
  struct Finding: Sendable, CustomTestStringConvertible {
    let target: String
    let name: String
    let text: String
    var testDescription: String { "\(target)/\(name)" }
  }

  static let findings: [Finding] = {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")
    let paths = FileManager.default.subpaths(atPath: folder.path) ?? []
    return paths.filter { $0.hasSuffix(".hex") }.sorted().map { path in
      let parts = path.split(separator: "/").map(String.init)
      let text = try? String(contentsOf: folder.appending(path: path), encoding: .utf8)
      return Finding(target: parts[0], name: parts.last ?? "", text: text ?? "")
    }
  }()

  @Test("what was found once", arguments: findings)
  func corpus(_ finding: Finding) throws {
    let target = try #require(FuzzTargets.named(finding.target))
    let bytes = try #require(FuzzCase.bytes(hex: finding.text))
    let isAccepted = try FuzzCase(target, bytes: bytes).run()
    #expect(finding.text.hasPrefix(isAccepted ? "# accepted" : "# refused"))
  }

  @Test("the corpus is there")
  func corpusIsThere() { #expect(Self.findings.count >= 8) }
}
