import Foundation
import Testing

/// Programs with the static standard library have no Swift Testing to import.
@Suite struct StaticLinkingTests {
  @Test("U25: whatever MillraceTesting has of Swift Testing stands under canImport")
  func imports() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/MillraceTesting")
      .standardized
    let names = try #require(FileManager.default.enumerator(atPath: folder.path)).compactMap { $0 as? String }
    let files = names.filter { $0.hasSuffix(".swift") }
    #expect(files.count > 10)
    var importing = 0
    for name in files {
      let lines = try String(contentsOf: folder.appending(path: name), encoding: .utf8).split(separator: "\n")
      // The conditions that a line stands under.
      var conditions: [Substring] = []
      for line in lines {
        if line.hasPrefix("#if") { conditions.append(line) }
        if line.hasPrefix("#endif") { conditions.removeLast() }
        let usesTesting =
          line.hasSuffix("import Testing") || line.contains(": TestTrait") || line.hasPrefix("extension Trait ")
          || line.contains("Issue.record")
        guard usesTesting else { continue }
        importing += 1
        #expect(conditions.contains("#if canImport(Testing)"), "\(name): \(line)")
      }
    }
    #expect(importing >= 5)
  }
}
