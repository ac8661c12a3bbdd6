import Foundation
import MillraceIPC
import MillraceTesting
import Testing

/// The trait's scope, run by hand as Swift Testing runs it.
///
/// These tests do not carry the trait, for it is what they judge; the scope that they enter keeps the checked tests out.
@Suite(.timeLimit(.minutes(1)))
struct LeakCheckedTests {
  private let test: Test

  init() throws { test = try #require(Test.current) }

  @Test func aLeakIsAnIssueOfTheTest() async throws {
    let descriptor = Counter(-1)
    try await withKnownIssue {
      try await LeakChecked(within: .milliseconds(20)).provideScope(for: test, testCase: nil) {
        descriptor.value = Int(open("/dev/null", O_RDONLY | O_CLOEXEC))
      }
    } matching: { issue in
      (issue.error as? Leak)?.resources.map(\.detail) == ["\(descriptor.value) -> /dev/null"]
    }
    close(Int32(descriptor.value))
  }

  @Test func aTestThatThrowsStillThrows() async throws {
    struct Failure: Error {}
    await #expect(throws: Failure.self) {
      try await LeakChecked().provideScope(for: test, testCase: nil) { throw Failure() }
    }
  }

  @Test func oneScopeAtATime() async throws {
    let inside = Counter(0)
    let ever = Counter(0)
    try await withThrowingTaskGroup { group in
      for _ in 0..<8 {
        group.addTask { [test] in
          try await LeakChecked().provideScope(for: test, testCase: nil) {
            #expect(inside.add(1) == 1)
            await Task.yield()
            ever.add(1)
            inside.add(-1)
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(ever.value == 8)
  }

  @Test func aScopeWithinAScopeDoesNotWaitForItself() async throws {
    let runs = Counter(0)
    try await LeakChecked().provideScope(for: test, testCase: nil) { [test] in
      try await LeakChecked().provideScope(for: test, testCase: nil) { _ = runs.add(1) }
    }
    #expect(runs.value == 1)
  }
}

private final class Counter: Sendable {
  private let content: Lock<Int>

  init(_ value: Int) { content = Lock(value) }

  var value: Int {
    get { content.withLock { $0 } }
    set { content.withLock { $0 = newValue } }
  }

  @discardableResult
  func add(_ amount: Int) -> Int {
    content.withLock { value in
      value += amount
      return value
    }
  }
}
