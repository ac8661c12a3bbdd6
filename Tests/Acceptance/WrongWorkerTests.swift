import Foundation
import Testing

/// What the compiler says to those who write a worker wrongly.
@Suite(.timeLimit(.minutes(2)))
struct WrongWorkerTests {
  /// What the compiler says to a program.
  private func diagnostics(of code: String) async throws -> String {
    let file = FileManager.default.temporaryDirectory.appending(path: "wrong-\(UUID()).swift")
    try code.write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    return try BuiltModules.ask(["swiftc", "-typecheck", "-parse-as-library", "-swift-version", "6", file.path])
  }

  @Test("U23: a wrong `process` is told what to write", .enabled(if: BuiltModules.folder != nil))
  func wrong() async throws {
    let text = try await diagnostics(
      of: """
        import Millrace

        struct NoState: Worker { func process(_ item: Int) -> Int { item } }
        struct NoInout: Worker { func process(_ item: Int, state: Int) -> Int { item } }
        struct NoLabel: Worker { func process(_ item: Int, _ state: inout Void) -> Int { item } }
        struct Label: StatelessWorker { func process(item: Int) -> Int { item } }
        struct Mutating: StatelessWorker { mutating func process(_ item: Int) -> Int { item } }
        """)
    let lines = text.split(separator: "\n").filter { $0.contains(".swift:") && $0.contains(": error: ") }
    for name in ["NoState", "NoInout", "NoLabel", "Label", "Mutating"] {
      #expect(lines.contains { $0.contains("error: type '\(name)' does not conform") }, "\(text)")
    }
    for (used, message, count) in [
      (
        "'process(_:state:)'",
        "write 'func process(_ item: Input, state: inout State) async throws -> Output'; without a state, adopt 'StatelessWorker'",
        3
      ),
      ("'process'", "write 'func process(_ item: Input) async throws -> Output'", 2),
    ] {
      let told = lines.filter { $0.contains("error: unavailable instance method \(used) was used") }
      #expect(told.count == count && told.allSatisfy { $0.hasSuffix(message) }, "\(text)")
    }
    #expect(!text.contains("nested type"))
  }

  @Test("U23: a right one is told nothing", .enabled(if: BuiltModules.folder != nil))
  func right() async throws {
    let text = try await diagnostics(
      of: """
        import Millrace

        struct Plain: StatelessWorker { func process(_ item: Int) -> Int { item } }
        struct Waiting: StatelessWorker { func process(_ item: Int) async throws -> Int { item } }
        struct Counting: Worker {
          func setUp(_ context: WorkerContext) -> Int { 0 }
          func process(_ item: Int, state count: inout Int) throws -> Never { fatalError() }
        }
        struct Generic<Item: Sendable>: StatelessWorker { func process(_ item: Item) -> Item { item } }
        func sum(_ numbers: [Int]) -> Int { numbers.parallelReduce(0) { $0 &+ $1 } + numbers.parallelReduce(0, +) }
        """)
    #expect(text == "")
  }
}
