import Foundation
import Millrace
import Testing

/// The Swift in the documents is Swift that is compiled here.
@Suite struct SnippetTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardized
  static let catalog = root.appending(path: "Sources/Millrace/Millrace.docc")

  static func texts(in directory: URL, withExtension suffix: String) throws -> [(name: String, text: String)] {
    try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == suffix }
      .sorted { $0.path < $1.path }
      .map { ($0.lastPathComponent, try String(contentsOf: $0, encoding: .utf8)) }
  }

  @Test func everySwiftBlockIsCompiled() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
    let checker = SnippetChecker(compiled: try Self.texts(in: folder, withExtension: "swift").map(\.text))
    let readme = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
    let documents = try [("README.md", readme)] + Self.texts(in: Self.catalog, withExtension: "md")
    #expect(documents.count >= 8)
    for (name, text) in documents {
      for problem in checker.problems(in: text, of: name) { Issue.record("\(problem)") }
    }
  }

  @Test func theCheckerFindsWhatIsNotCompiled() {
    let checker = SnippetChecker(compiled: ["func f() {\n  let a = 1\n  g(a,\n    2)\n}"])
    let text = """
      ```swift
      import Millrace

      let a = 1
      g(a, 2)

      g(a, 3)
      ```
      ```text
      not Swift
      ```
      """
    #expect(checker.problems(in: text, of: "x").map(\.line) == [7])
    #expect(checker.problems(in: text, of: "x").map(\.code) == ["g(a, 3)"])
  }
}
