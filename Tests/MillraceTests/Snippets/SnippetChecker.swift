import Foundation

/// Finds the Swift of the documents that is not in the compiled snippets.
///
/// A block is compared paragraph by paragraph, without its white space and its imports: documents may leave out what
/// stands between two paragraphs.
struct SnippetChecker {
  private let compiled: [String]

  init(compiled: [String]) {
    self.compiled = compiled.map(Self.normalised)
  }

  struct Problem: CustomStringConvertible {
    var document: String
    var line: Int
    var code: String
    var description: String { "\(document):\(line): not in Tests/MillraceTests/Snippets:\n\(code)" }
  }

  func problems(in text: String, of document: String) -> [Problem] {
    Self.paragraphs(in: text).compactMap { line, code in
      let code = code.split(separator: "\n").filter { !$0.hasPrefix("import ") }.joined(separator: "\n")
      let needed = Self.normalised(code)
      if needed.isEmpty || compiled.contains(where: { $0.contains(needed) }) { return nil }
      return Problem(document: document, line: line, code: code)
    }
  }

  /// The paragraphs of all Swift blocks, each with the line that it begins at.
  static func paragraphs(in text: String) -> [(line: Int, code: String)] {
    var paragraphs: [(line: Int, code: String)] = []
    var isInside = false
    var current: [Substring] = []
    func end(_ line: Int) {
      if !current.isEmpty { paragraphs.append((line - current.count, current.joined(separator: "\n"))) }
      current = []
    }
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let trimmed = line.drop { $0 == " " }
      if trimmed.hasPrefix("```") {
        end(number + 1)
        isInside = !isInside && trimmed.hasPrefix("```swift")
      } else if isInside {
        if trimmed.isEmpty { end(number + 1) } else { current.append(line) }
      }
    }
    return paragraphs
  }

  private static func normalised(_ code: String) -> String {
    String(String.UnicodeScalarView(code.unicodeScalars.filter { !$0.properties.isWhitespace }))
  }
}
