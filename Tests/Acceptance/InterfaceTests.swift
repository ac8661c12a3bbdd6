import Foundation
import Testing

/// The public interface is written down: what a change adds to it, takes from it or alters is seen in the change itself.
///
/// `Interface/Millrace.txt` holds it, a symbol a line. `MILLRACE_RECORD_INTERFACE=1 swift test --filter InterfaceTests` writes it anew.
@Suite(.enabled(if: BuiltModules.folder != nil), .timeLimit(.minutes(2)))
struct InterfaceTests {
  /// As much of a symbol graph as is asked for.
  private struct Graph: Decodable {
    struct Symbol: Decodable {
      struct Identifier: Decodable { var precise: String }
      struct Fragment: Decodable { var spelling: String }
      var identifier: Identifier
      var pathComponents: [String]
      var declarationFragments: [Fragment]
    }
    struct Relationship: Decodable {
      var kind: String
      var source: String
      var target: String
      var targetFallback: String?
    }
    var symbols: [Symbol]
    var relationships: [Relationship]
  }

  private static let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
    path: "Interface/Millrace.txt")

  /// The interface of the module that the tests were built with.
  private func interface() throws -> [String] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "interface-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    #if arch(arm64)
    let target = "aarch64-unknown-linux-gnu"
    #else
    let target = "x86_64-unknown-linux-gnu"
    #endif
    let said = try BuiltModules.ask([
      "swift", "symbolgraph-extract", "-module-name", "Millrace", "-target", target, "-output-dir", folder.path,
      "-minimum-access-level", "public", "-skip-synthesized-members",
    ])
    var lines: Set<String> = []
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    try #require(!files.isEmpty, "\(said)")
    for file in files {
      let graph = try JSONDecoder().decode(Graph.self, from: Data(contentsOf: file))
      var names: [String: String] = [:]
      for symbol in graph.symbols {
        let name = symbol.pathComponents.joined(separator: ".")
        names[symbol.identifier.precise] = name
        let declaration = symbol.declarationFragments.map(\.spelling).joined()
        lines.insert("\(name): \(declaration.split(whereSeparator: \.isWhitespace).joined(separator: " "))")
      }
      for relationship in graph.relationships where relationship.kind == "conformsTo" {
        guard let name = names[relationship.source] else { continue }
        let other = relationship.targetFallback ?? names[relationship.target] ?? relationship.target
        lines.insert("\(name) conforms to \(other)")
      }
    }
    return lines.sorted()
  }

  @Test("the public interface is the one that is written down")
  func unchanged() throws {
    let found = try interface()
    if ProcessInfo.processInfo.environment["MILLRACE_RECORD_INTERFACE"] != nil {
      try Data((found.joined(separator: "\n") + "\n").utf8).write(to: Self.file)
    }
    let known = try String(contentsOf: Self.file, encoding: .utf8).split(separator: "\n").map(String.init)
    let gone = known.filter { !found.contains($0) }
    let new = found.filter { !known.contains($0) }
    #expect(gone.isEmpty, "a user's code may break: gone or altered are\n\(gone.joined(separator: "\n"))")
    #expect(new.isEmpty, "new, and not in Interface/Millrace.txt:\n\(new.joined(separator: "\n"))")
  }

  @Test("every public type can be named beside Foundation")
  func named() throws {
    let file = Self.file.deletingLastPathComponent().deletingLastPathComponent().appending(
      path: "BesideFoundation.swift")
    let program = try String(contentsOf: file, encoding: .utf8).replacing(#/<[^>]*>/#, with: "")
    let types = try interface().compactMap { line -> String? in
      let parts = line.split(separator: ": ", maxSplits: 1)
      guard parts.count == 2, !parts[0].contains("conforms to"),
        parts[1].firstMatch(of: #/^(@\w+ )?(final )?(struct|enum|class|protocol) /#) != nil
      else { return nil }
      return String(parts[0])
    }
    #expect(types.count > 30)
    for type in types {
      let isNamed = program.contains(" \(type).self") || program.contains("(any \(type)).self")
      #expect(isNamed, "\(type) is not in BesideFoundation.swift")
    }
  }
}
