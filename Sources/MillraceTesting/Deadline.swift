import Dispatch
import MillraceIPC

/// A body did not end in time: the error that ``withDeadline(_:fileID:line:_:)`` throws.
public struct DeadlineExceeded: Error, Sendable, CustomStringConvertible {
  /// How long the body was given.
  public let limit: Duration

  /// Where the deadline was set, as `Module/File.swift:12`.
  public let location: String

  /// What every thread of this process, and every process below it, was doing at the time.
  public let report: String

  /// The limit, the place, and the report.
  public var description: String { "Not done after \(limit), at \(location).\n\(report)" }
}

/// Runs a body and gives up on it when it takes longer than a limit.
///
/// A hung body is cancelled and left behind, never waited for; so it works on bodies that ignore cancellation. The limit is kept by
/// a thread of its own: it also holds when the body blocks every thread of the cooperative pool. (The caller needs a thread to go
/// on, and there may be none left; so the report goes to standard error before the error is thrown.)
///
/// - Parameters:
///   - limit: how long the body may take.
///   - fileID: where the deadline is set, for the report.
///   - line: where the deadline is set, for the report.
///   - body: what to run, in a task of its own that inherits task-local values and priority.
/// - Returns: what the body returns.
/// - Throws: ``DeadlineExceeded``, or what the body throws.
public func withDeadline<Value: Sendable>(
  _ limit: Duration, fileID: StaticString = #fileID, line: Int = #line,
  _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  let race = Race<Value>()
  let isDone = DispatchSemaphore(value: 0)
  let task = Task {
    do { race.finish(.success(try await body())) } catch { race.finish(.failure(error)) }
    isDone.signal()
  }
  HelperThread.start(named: "millrace-watch") {
    guard isDone.wait(timeout: .now() + limit.dispatchInterval) == .timedOut else { return }
    let error = DeadlineExceeded(limit: limit, location: "\(fileID):\(line)", report: activityReport())
    if race.finish(.failure(error)) { HelperThread.writeToStandardError("\(error)\n") }
    task.cancel()
  }
  return try await withTaskCancellationHandler {
    try await race.result()
  } onCancel: {
    task.cancel()
  }
}

/// The first to finish decides; there is one who waits.
private final class Race<Value: Sendable>: Sendable {
  private enum State {
    case running
    case awaited(CheckedContinuation<Value, any Error>)
    case finished(Result<Value, any Error>)
    case over
  }

  private let state = Lock(State.running)

  @discardableResult
  func finish(_ result: Result<Value, any Error>) -> Bool {
    let (isFirst, waiter) = state.withLock { state -> (Bool, CheckedContinuation<Value, any Error>?) in
      switch state {
      case .running:
        state = .finished(result)
        return (true, nil)
      case .awaited(let waiter):
        state = .over
        return (true, waiter)
      case .finished, .over:
        return (false, nil)
      }
    }
    waiter?.resume(with: result)
    return isFirst
  }

  func result() async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      let result = state.withLock { state -> Result<Value, any Error>? in
        guard case .finished(let result) = state else {
          state = .awaited(continuation)
          return nil
        }
        state = .over
        return result
      }
      if let result { continuation.resume(with: result) }
    }
  }
}

extension Duration {
  fileprivate var dispatchInterval: DispatchTimeInterval {
    let (seconds, attoseconds) = components
    let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (all, isTooMuch) = nanoseconds.addingReportingOverflow(attoseconds / 1_000_000_000)
    return overflow || isTooMuch ? .never : .nanoseconds(Int(all))
  }
}
