import Foundation

/// A file to which workers of every kind write lines, each whole.
package struct LineLedger: Codable, Sendable {
  package let path: String

  /// Runs the body with an empty ledger, and removes it.
  package static func with<Result>(_ body: (LineLedger) async throws -> Result) async throws -> Result {
    let ledger = LineLedger(path: "\(NSTemporaryDirectory())/ledger-\(UUID().uuidString)")
    _ = FileManager.default.createFile(atPath: ledger.path, contents: nil)
    defer { try? FileManager.default.removeItem(atPath: ledger.path) }
    return try await body(ledger)
  }

  package func note(_ line: String) {
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
    defer { close(descriptor) }
    let bytes = Array("\(line)\n".utf8)
    precondition(write(descriptor, bytes, bytes.count) == bytes.count, "the ledger cannot be written")
  }

  package var lines: [String] {
    get throws { try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init) }
  }
}
