import Foundation
import MillraceTesting
import Testing

extension Checked {
  @Suite struct DeadlineTests {
    @Test func aBodyInTimeReturnsItsValueOrThrowsItsError() async throws {
      struct Failure: Error {}
      let value = try await withDeadline(.seconds(30)) { 42 }
      #expect(value == 42)
      await #expect(throws: Failure.self) { try await withDeadline(.seconds(30)) { throw Failure() } }
    }

    @Test func aBodyThatIgnoresCancellationIsLeftBehindAndReported() async throws {
      let gate = AsyncStream.makeStream(of: Void.self)
      let error = await #expect(throws: DeadlineExceeded.self) {
        try await withDeadline(.milliseconds(50)) {
          // Cancellation does not end this wait: it is in a task of its own.
          await Task.detached { for await _ in gate.stream {} }.value
        }
      }
      gate.continuation.finish()
      let report = try #require(error).description
      #expect(report.contains("MillraceTestingTests/DeadlineTests.swift"))
      #expect(report.contains("(millrace-watch)"))
    }

    @Test func aBlockedThreadShowsWhereItWaits() async throws {
      let gate = DispatchSemaphore(value: 0)
      let error = await #expect(throws: DeadlineExceeded.self) {
        try await withDeadline(.milliseconds(50)) {
          await withCheckedContinuation { continuation in
            let thread = Thread {
              try? "blocked-thread".write(toFile: "/proc/thread-self/comm", atomically: false, encoding: .utf8)
              gate.wait()
              continuation.resume()
            }
            thread.start()
          }
        }
      }
      gate.signal()
      let line = try #require(error).report.split(separator: "\n").first { $0.contains("(blocked-thread)") }
      #expect(line?.contains("state S") == true)
      #expect(line?.contains("futex") == true)
    }

    @Test func cancellationReachesTheBody() async throws {
      let task = Task {
        try await withDeadline(.seconds(30)) { try await Task.sleep(for: .seconds(1000)) }
      }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
    }
  }
}
