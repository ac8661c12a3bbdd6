import MillraceIPC

/// The lock of a shared object, taken until `end`.
struct SharedGuard: ~Copyable {
  private let block: SharedBlock

  /// Waits for the lock. Whether somebody has died in it is noted there.
  init(_ block: SharedBlock, name: StaticString) {
    precondition(block.header.hasLock, "withLock of a \(name) that was made without a lock")
    self.block = block
    if block.header.lock() { block.header.isPoisoned = true }
    KillPoint.workerLocks.reach()
  }

  func end() { block.header.unlock() }
}
