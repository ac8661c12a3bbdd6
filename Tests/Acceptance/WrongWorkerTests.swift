import Foundation
import Testing

/// What the compiler says to those who write a worker wrongly.
@Suite(.timeLimit(.minutes(2)))
struct WrongWorkerTests {
  static let modules: URL? = {
    guard let tests = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return nil }
    let folder = URL(filePath: tests).deletingLastPathComponent()
    let found = folder.appending(path: "Modules/Millrace.swiftmodule").path
    return FileManager.default.fileExists(atPath: found) ? folder : nil
  }()

  /// What the compiler says to a program.
  private func diagnostics(of code: String) async throws -> String {
    let folder = try #require(Self.modules)
    let file = FileManager.default.temporaryDirectory.appending(path: "wrong-\(UUID()).swift")
    try code.write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    let pipe = Pipe()
    let compiler = Process()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = [
      "swiftc", "-typecheck", "-parse-as-library", "-swift-version", "6", "-I", folder.appending(path: "Modules").path,
      "-Xcc", "-fmodule-map-file=\(folder.path)/CMillrace.build/module.modulemap", file.path,
    ]
    compiler.standardError = pipe
    compiler.standardOutput = pipe
    try compiler.run()
    let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    compiler.waitUntilExit()
    return text
  }

  @Test("U23: a wrong `process` is told what to write", .enabled(if: modules != nil))
  func wrong() async throws {
    let text = try await diagnostics(
      of: """
        import Millrace

        struct NoState: Worker { func process(_ item: Int) -> Int { item } }
        struct NoInout: Worker { func process(_ item: Int, _ state: Int) -> Int { item } }
        struct Label: StatelessWorker { func process(_ item: Int) -> Int { item } }
        struct Mutating: StatelessWorker { mutating func process(_ item: Int) -> Int { item } }
        """)
    let message = "write 'func process(_ item: Input, state: inout State) async throws -> Output'"
    for name in ["NoState", "NoInout", "Label", "Mutating"] {
      let line = text.split(separator: "\n").first { $0.contains("error: type '\(name)' does not conform") }
      #expect(line != nil, "\(text)")
    }
    #expect(text.components(separatedBy: "error: unavailable instance method 'process' was used").count > 4, "\(text)")
    #expect(text.contains(message), "\(text)")
    #expect(!text.contains("nested type"))
  }

  @Test("U23: a right one is told nothing", .enabled(if: modules != nil))
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
