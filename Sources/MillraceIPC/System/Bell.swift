/// Wakes one thread. A ring before the wait is not lost.
package final class Bell: @unchecked Sendable {
  // Sound: the flag is touched with the condition's mutex held only.
  private let condition = Condition()
  private var isRung = false

  package init() {}

  package func ring() {
    condition.lock()
    isRung = true
    condition.wakeOne()
    condition.unlock()
  }

  /// Sleeps until the bell is rung.
  @inline(never)
  package func waitForWork() {
    condition.lock()
    while !isRung { condition.wait() }
    isRung = false
    condition.unlock()
  }

  /// Sleeps until the bell is rung or the time (`MonotonicTime`) has come.
  @inline(never)
  package func waitForWork(until deadline: UInt64) {
    condition.lock()
    while !isRung, condition.wait(until: deadline) {}
    isRung = false
    condition.unlock()
  }
}
