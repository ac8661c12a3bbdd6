import Foundation
import Millrace
import Testing

/// The page "Errors" names all that there is, and no type of ours is without a public one in its place.
@Suite struct ErrorDocumentationTests {
  private static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.package.appending(path: path), encoding: .utf8)
  }

  @Test("15.1: the page names every public error, and every kind and cause")
  func page() throws {
    let page = try text("Sources/Millrace/Millrace.docc/Errors.md")
    let lines = try text("Tests/Acceptance/Interface/Millrace.txt").split(separator: "\n").map(String.init)
    let types = lines.compactMap { $0.firstMatch(of: #/^(\w+) conforms to Swift.Error$/#).map { String($0.1) } }
    #expect(Set(types) == Set(publicErrors.map { String(String(reflecting: $0).dropFirst("Millrace.".count)) }))
    for type in types { #expect(page.contains("``\(type)``"), "\(type)") }
    for owner in ["WorkerPoolError.Kind", "ItemFailure.Cause", "TransportError.Kind"] {
      let cases = lines.filter { $0.hasPrefix("\(owner).") && $0.firstMatch(of: #/: (indirect )?case /#) != nil }
      #expect(cases.count > 2)
      for line in cases {
        let name = line.dropFirst(owner.count + 1).prefix { $0.isLetter }
        #expect(page.contains("| `\(name)`"), "\(owner).\(name)")
      }
    }
  }

  /// Each type of error that is not public either becomes a public one on its way out, or is caught before.
  @Test("15.1: every error that is not public has a public one in its place")
  func inner() throws {
    let mapped = try text("Sources/Millrace/Failures/ErrorsForUsers.swift")
    let caught = [
      "EndOfSequence", "Malformed", "Obstacle", "Unsendable", "Unopenable",
      // Between a pipeline's stations and whoever tells the user.
      "StageFault",
      // Of programs that stages run: a `SystemError` or a `CancellationError`, where they are waited for.
      "Problem",
      // Of graphs that pipelines are planned with, and nobody else.
      "Cycle",
      // Of debug builds that are told to fail.
      "Thrown",
    ]
    for module in ["MillraceIPC", "Millrace"] {
      let folder = Self.package.appending(path: "Sources/\(module)")
      for case let file as URL in FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)!
      where file.pathExtension == "swift" {
        let program = try String(contentsOf: file, encoding: .utf8)
        for found in program.matches(
          of:
            #/(?m)^ *(?<access>public |package |private |fileprivate )?(final )?(struct|enum|class) (?<name>\w+): [^{\n]*\bError\b[^{\n]*\{/#
        )
        where found.output.access != "public " {
          let name = String(found.output.name)
          #expect(
            caught.contains(name) || mapped.contains("as \(name)") || mapped.contains("is \(name)"),
            "\(name) in \(file.lastPathComponent)")
        }
      }
    }
  }
}
