/// Tells whether a piece of code leaves something behind: a process, a descriptor, a thread, shared memory, a file.
///
/// It compares what this program holds before and after. What ends a little later than the code (a thread on its way out, say)
/// may do so: the oracle looks again, with short pauses, until all is gone or the limit is reached.
///
/// ```swift
/// try await LeakOracle.check(within: .seconds(1)) {
///   try await withWorkerPool(.processes(2)) { pool in … }
/// }
/// ```
///
/// What it sees, on Linux:
///
/// - **processes:** all descendants of this process, zombies included, and orphans: processes that live on, were adopted by
///   process 1 or by an ancestor of this one, and run this executable or have its mark in their environment
///   (`MILLRACE_LEAK_ORACLE`, which everything inherits that is not started with an environment of its own).
/// - **descriptors:** `/proc/self/fd`, by number and target.
/// - **threads:** `/proc/self/task`, except those that live as long as the program by design: Dispatch's workers
///   (`…-qos`, `….overcommit`), which also carry Swift's concurrency, and Millrace's program-wide `millrace-crew…` and `millrace-spawn…`.
/// - **shared memory:** shared mappings of this process, except files mapped for reading only; and `/dev/shm`.
/// - **files:** the first level of the temporary directory.
///
/// `/dev/shm` and `/tmp` belong to every program of the machine, so an entry there counts only if its name has this process's
/// number in it. A temporary directory of our own, one whose name begins with `millrace` (`scripts/test` makes one), is taken whole.
///
/// It looks at the whole process, so only one check may run at a time, and nothing else may come and go beside it.
/// Use the trait ``LeakChecked`` in tests: it takes care of the first, and says how to arrange for the second.
public struct LeakOracle: Sendable {
  private let isIgnored: @Sendable (Resource) -> Bool

  /// Makes an oracle.
  ///
  /// - Parameter ignoring: says which resources are none of the oracle's business, beyond those that it always leaves out.
  public init(ignoring: @escaping @Sendable (Resource) -> Bool = { _ in false }) {
    isIgnored = ignoring
  }

  /// Everything that this program holds now.
  public func snapshot() -> Set<Resource> {
    held().filter { !isIgnored($0) }
  }

  /// Runs a body, then waits until all that it added is gone.
  ///
  /// - Parameters:
  ///   - limit: how long things may take to go, counted from the end of the body.
  ///   - body: the code to judge. It is also judged if it throws, or if the task is cancelled.
  /// - Returns: what the body returns.
  /// - Throws: ``Leak`` if something is left at the limit (with the body's error as its cause), else what the body throws.
  public func check<Value>(
    within limit: Duration = .seconds(1), _ body: () async throws -> Value
  ) async throws -> Value {
    EnvironmentMark.set()
    await LongLived.start()
    let before = snapshot()
    let result: Result<Value, any Error>
    do { result = .success(try await body()) } catch { result = .failure(error) }

    let left = await remainder(since: before, within: limit)
    guard left.isEmpty else {
      var cause: (any Error)?
      if case .failure(let error) = result { cause = error }
      throw Leak(resources: left, waited: limit, cause: cause)
    }
    return try result.get()
  }

  /// Runs a body, then waits until all that it added is gone; see ``check(within:_:)-instance``.
  public static func check<Value>(
    within limit: Duration = .seconds(1), _ body: () async throws -> Value
  ) async throws -> Value {
    try await LeakOracle().check(within: limit, body)
  }

  /// Looks until nothing is new or the limit is reached.
  ///
  /// Most of what we wait for tells nobody when it goes, hence the pauses.
  private func remainder(since before: Set<Resource>, within limit: Duration) async -> [Resource] {
    let end = ContinuousClock.now + limit
    var pause = Duration.milliseconds(1)
    var left = snapshot().subtracting(before)
    while !left.isEmpty {
      let isLast = ContinuousClock.now >= end
      // In a task of its own, which the cancellation of ours does not shorten to a busy loop.
      let length = isLast ? pause : min(pause, end - ContinuousClock.now)
      await Task.detached { try? await Task.sleep(for: length) }.value
      pause = min(pause * 2, .milliseconds(25))

      let now = snapshot().subtracting(before)
      // Only what stays is a leak, not what another part of the program holds for the moment of one look.
      if isLast { return left.intersection(now).sorted { ($0.kind, $0.identity) < ($1.kind, $1.identity) } }
      left = now
    }
    return []
  }
}
