// Where Swift Testing is not, as with the static standard library, the oracle can be had without the trait.
#if canImport(Testing)
import Millrace
public import Testing

/// A trait for tests that must leave nothing behind: runs each under a ``LeakOracle``, one at a time.
///
/// ```swift
/// @Suite(.serialized, .leakChecked)
/// struct PoolTests { … }
/// ```
///
/// The oracle sees the whole process, and Swift Testing runs the tests of all targets in one process, in parallel. So:
///
/// - Checked tests never overlap, wherever they are declared: the trait holds one lock for the program.
/// - Put `.serialized` beside it, on one root suite a target, for a test's time limit includes the wait for that lock.
/// - Give it to every suite whose tests start processes or threads, or hold descriptors, shared memory or files for longer than a moment.
///   Tests that only compute may stay outside, and run beside the checked ones.
///
/// A leak is recorded as an issue of the test that left it.
public struct LeakChecked: TestTrait, SuiteTrait, TestScoping {
  /// How long things may take to go after the end of a test.
  public let limit: Duration

  private let oracle: LeakOracle

  /// Applies to every test of a suite, suites within it included.
  public var isRecursive: Bool { true }

  /// Makes the trait.
  ///
  /// - Parameters:
  ///   - limit: how long things may take to go after the end of a test.
  ///   - oracle: who looks.
  public init(within limit: Duration = .seconds(1), oracle: LeakOracle = LeakOracle()) {
    self.limit = limit
    self.oracle = oracle
  }

  /// Runs a test, and records an issue if it leaves something behind.
  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    // The trait of a suite and of a test within it are both applied; the outer one checks.
    if Self.isChecking { return try await function() }

    guard await Self.turn.take() else { throw CancellationError() }
    defer { Self.turn.pass() }
    do {
      try await Self.$isChecking.withValue(true) {
        try await oracle.check(within: limit) { try await function() }
      }
    } catch let leak as Leak {
      Issue.record(leak, sourceLocation: test.sourceLocation)
      if let cause = leak.cause { throw cause }
    }
  }

  @TaskLocal private static var isChecking = false
  private static let turn = Turn()
}

extension Trait where Self == LeakChecked {
  /// The test must leave nothing behind a second after its end: no process, descriptor, thread, shared memory or file.
  public static var leakChecked: Self { LeakChecked() }

  /// The test must leave nothing behind.
  ///
  /// - Parameter limit: how long things may take to go after the end of the test.
  public static func leakChecked(within limit: Duration) -> Self { LeakChecked(within: limit) }
}
#endif
