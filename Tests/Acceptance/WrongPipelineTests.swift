import Foundation
import Testing

/// What the compiler says to those who put stages together that do not fit: both types, on the right line.
@Suite(.timeLimit(.minutes(2)))
struct WrongPipelineTests {
  private let stages = """
    import Millrace
    struct AddX: StatelessWorker { func process(_ item: Int) -> Int { item + 1 } }
    struct Shout: StatelessWorker { func process(_ item: String) -> String { item } }

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

  @Test("twenty stages are type-checked in under a second", .enabled(if: BuiltModules.folder != nil))
  func twentyStages() throws {
    let body =
      ["let long: Pipeline<Nothing, Int> = Pipeline {", "  Items(1...3)"] + Array(repeating: "  AddX()", count: 19) + [
        "}"
      ]
    // The program alone, and with the pipeline: the compiler's own time to start is in both.
    let begun = ContinuousClock.now
    #expect(try errors(of: "") == [])
    let between = ContinuousClock.now
    #expect(try errors(of: body.joined(separator: "\n")) == [])
    let (empty, whole) = (between - begun, ContinuousClock.now - between)
    #expect(whole - empty < .seconds(1))
  }
}
