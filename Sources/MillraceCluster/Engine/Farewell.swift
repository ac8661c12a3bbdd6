import Millrace
import MillraceIPC

/// How long somebody who ends waits for a queue that may never answer.
enum Farewell {
  static let limit: Duration = .seconds(2)

  /// Runs the body, and waits for it for so long. What is still under way then goes on by itself until its connection is closed.
  ///
  /// - Returns: whether it has come to its end.
  @discardableResult
  static func say(_ body: @escaping @Sendable () async -> Void) async -> Bool {
    let (bell, isSaid) = (TaskBell(), Flag())
    Task {
      await body()
      isSaid.set()
      bell.ring()
    }
    let alarm = Task {
      try? await Task.sleep(for: limit)
      bell.ring()
    }
    await bell.waitForRing()
    alarm.cancel()
    return isSaid.isSet
  }

  private final class Flag: Sendable {
    private let state = Lock(false)
    func set() { state.withLock { $0 = true } }
    var isSet: Bool { state.withLock { $0 } }
  }
}
