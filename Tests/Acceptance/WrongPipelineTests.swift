import Foundation
import Testing

/// What the compiler says to those who put stages together that do not fit: both types, on the right line.
@Suite(.timeLimit(.minutes(2)))
struct WrongPipelineTests {
  private let stages = """
    import Millrace
    struct AddX: StatelessWorker { func process(_ item: Int) -> Int { item + 1 } }
    struct Shout: StatelessWorker { func process(_ item: String) -> String { item } }
    struct Text: StatelessWorker { func process(_ item: Int) -> String { "" } }

    """

  /// The errors of a program behind the stages, each with its line there.
  private func errors(of code: String) throws -> [String] {
    let file = FileManager.default.temporaryDirectory.appending(path: "wrong-\(UUID()).swift")
    try (stages + code).write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    let text = try BuiltModules.ask(["swiftc", "-typecheck", "-swift-version", "6", file.path])
    let lines = text.split(separator: "\n").filter { $0.contains(".swift:") && $0.contains(": error: ") }
    return lines.map { line in
      let place = line.split(separator: ".swift:")[1].split(separator: ":", maxSplits: 2).map(String.init)
      return "\(Int(place[0])! - stages.split(separator: "\n").count)\(place[2])"
    }
  }

  @Test("a line of a builder that does not fit", .enabled(if: BuiltModules.folder != nil))
  func builder() throws {
    let errors = try errors(
      of: """
        let wrong: Pipeline<Nothing, String> = Pipeline {
          Items(1...3)
          AddX()
          Shout()
        }
        """)
    #expect(
      errors == [
        "4 error: cannot convert value of type 'Pipeline<String, String>' to expected argument type 'Pipeline<Int, String>'"
      ])
  }

  @Test("chains and flows that do not fit", .enabled(if: BuiltModules.folder != nil))
  func chains() throws {
    let errors = try errors(
      of: """
        let chain = Pipeline<Int, Int> { AddX() }.map(with: Shout())
        let flow = Pipeline<Int, String>.graph { flow in
          flow.map(with: AddX())
            .map(with: Shout())
        }
        """)
    let message = " error: instance method 'map(with:)' requires the types 'Int' and 'String' be equivalent"
    #expect(errors == ["1" + message, "4" + message])
  }

  @Test("a builder whose type is written elsewhere, or nowhere", .enabled(if: BuiltModules.folder != nil))
  func elsewhere() throws {
    let body = "{\n  Items(1...3)\n  Shout()\n  AddX()\n}"
    let misfit =
      "error: cannot convert value of type 'Pipeline<String, String>' to expected argument type 'Pipeline<ClosedRange<Int>.Element, String>' (aka 'Pipeline<Int, String>')"
    #expect(try errors(of: "func returned() -> Pipeline<Nothing, Int> {\nPipeline \(body)\n}") == ["4 " + misfit])
    #expect(try errors(of: "@PipelineBuilder var body: Pipeline<Nothing, Int> \(body)") == ["3 " + misfit])
    // Beside the line in question, that nothing says what it all would be.
    let untyped = try errors(of: "let pipeline = Pipeline \(body)")
    #expect(untyped.contains("3 " + misfit) && untyped.count == 3)
    #expect(untyped.filter { $0.hasSuffix("could not be inferred") }.count == 2)
    let end = try errors(of: "let pipeline: Pipeline<Int, String> = Pipeline {\n  AddX()\n}")
    #expect(
      end == [
        "1 error: cannot convert return expression of type 'Pipeline<Int, Int>' to return type 'Pipeline<Int, String>'"
      ])
  }

  @Test("branches whose ends differ", .enabled(if: BuiltModules.folder != nil))
  func branches() throws {
    func misfit(_ found: String, _ expected: String) -> String {
      "3 error: cannot convert value of type 'Pipeline<\(found)>' to expected argument type 'Pipeline<\(expected)>'"
    }
    for group in ["AnyOf", "Broadcast"] {
      let output = try errors(of: "let p: Pipeline<Int, Int> = \(group) {\n  AddX()\n  Text()\n}")
      #expect(output == [misfit("Int, String", "Int, Int")])
      let input = try errors(of: "let p: Pipeline<Int, Int> = \(group) {\n  AddX()\n  Shout()\n}")
      #expect(input == [misfit("String, String", "Int, Int")])
      // In a line among others as well.
      let inner = try errors(
        of: "let p: Pipeline<Int, Int> = Pipeline { \(group) {\n  AddX()\n  Shout()\n}; AddX() }")
      #expect(inner.contains(misfit("String, String", "Int, Int")))
    }
    let zipped = try errors(of: "let p: Pipeline<Int, (Int, String)> = Zip {\n  AddX()\n  Shout()\n}")
    #expect(zipped == [misfit("String, String", "Int, String")])
  }

  @Test("closures that do not fit in a chain", .enabled(if: BuiltModules.folder != nil))
  func closures() throws {
    let errors = try errors(
      of: """
        let chain = Pipeline<Int, Int> { AddX() }
          .map { (text: String) in text }
        let flow = Pipeline<Int, Int>.graph { flow in
          flow
            .filter { (text: String) in true }
        }
        """)
    #expect(Set(errors.compactMap { $0.split(separator: " ").first }).isSubset(of: ["1", "2", "4", "5"]))
    #expect(errors.contains { $0.contains("'(String)") || $0.contains("'String'") } && !errors.isEmpty)
  }

  @Test(
    "lines that do not say of which items they are, where nothing else does", .enabled(if: BuiltModules.folder != nil))
  func untyped() throws {
    let alone = try errors(of: "let p = Pipeline { Print() }")
    #expect(!alone.isEmpty && alone.allSatisfy { $0.hasPrefix("1 ") })
    let zipped = try errors(of: "let p: Pipeline<Int, (Int, Int)> = Pipeline { AddX(); Zip { Print(); Print() } }")
    #expect(!zipped.isEmpty)
    // What the page says to write instead.
    #expect(
      try errors(
        of: """
          let p: Pipeline<Int, Int> = Pipeline { Print() }
          let q = Pipeline { AddX(); Zip { Pipeline<Int, Int> { Print() }; Print() } }
          """) == [])
  }

  @Test(
    "twenty stages are type-checked in under a second, however they are written",
    .enabled(if: BuiltModules.folder != nil))
  func twentyStages() throws {
    func lines(_ line: String, _ count: Int) -> String { Array(repeating: line, count: count).joined(separator: "\n") }
    let forms = [
      "let long: Pipeline<Nothing, Int> = Pipeline {\n  Items(1...3)\n\(lines("  AddX()", 19))\n}",
      "let long = Pipeline { Items(1...3) }\n\(lines("  .map(with: AddX())", 10))\n\(lines("  .filter { $0 > 1 }", 9))",
      "let long = Pipeline<Int, Int>.graph { flow in\n  flow\n\(lines("    .map { (item: Int) -> Int in item + 1 }", 19))\n}",
      """
      let long: Pipeline<Nothing, (Int, Int)> = Pipeline {
        Items(1...3)
        Parallel(2) {
          Print()
          Parallel(2) {
      \(lines("      AddX()", 5))
          }
          AnyOf {
            Print()
            Pipeline<Int, Int> {
      \(lines("        AddX()", 5))
            }
          }
        }
        Zip {
          Pipeline<Int, Int> {
      \(lines("      AddX()", 5))
          }
          Pipeline<Int, Int> {
      \(lines("      AddX()", 5))
          }
        }
      }
      """,
    ]
    // The program alone, and with the pipeline: the compiler's own time to start is in both.
    let begun = ContinuousClock.now
    #expect(try errors(of: "") == [])
    let empty = ContinuousClock.now - begun
    for form in forms {
      let begun = ContinuousClock.now
      #expect(try errors(of: form) == [])
      #expect(ContinuousClock.now - begun - empty < .seconds(1), "\(form)")
    }
  }
}
