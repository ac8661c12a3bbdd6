import Foundation
import Logging
import Synchronization
import Testing

extension Checked.EveryPlace {
  /// Counts in a file, so that workers count together wherever they run.
  struct Tally: Codable, Hashable, Sendable {
    let path: String

    private init() {
      path = NSTemporaryDirectory() + "/millrace-tally-\(getpid())-\(UInt64.random(in: 0 ... .max))"
      close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
    }

    /// Makes a tally for as long as the body runs.
    static func with<Result>(
      isolation: isolated (any Actor)? = #isolation, _ body: (Tally) async throws -> Result
    ) async throws -> Result {
      let tally = Tally()
      defer { unlink(tally.path) }
      return try await body(tally)
    }

    /// Counts one more; which one it is, from 1, if nobody else counts at the same time.
    @discardableResult
    func add() -> Int {
      let file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
      defer { close(file) }
      _ = write(file, "x", 1)
      return count
    }

    var count: Int {
      var status = stat()
      return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
  }

  /// What a body threw, or nil.
  static func error(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void
  ) async -> (any Error)? {
    do {
      try await body()
      return nil
    } catch {
      return error
    }
  }
}

extension Checked.EveryPlace {
  /// For cases in which the pool says what it should: the output of the tests stays readable.
  static let silent = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
}
