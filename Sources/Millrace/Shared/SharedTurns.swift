import CMillrace
import MillraceIPC

/// A word that counts the changes of a shared object, for processes to sleep until there is another one.
struct SharedTurns {
  private let block: SharedBlock
  private let word: UnsafeMutablePointer<UInt32>

  init(_ block: SharedBlock, word index: Int) {
    self.block = block
    word = UnsafeMutableRawPointer(block.header.word(index)).assumingMemoryBound(to: UInt32.self)
  }

  var current: UInt32 { millrace_load_acquire_u32(word) }

  /// There is a change, which is about to be made, with the lock held: wakes all who wait for one.
  func next() {
    millrace_store_release_u32(word, millrace_load_relaxed_u32(word) &+ 1)
    millrace_fence()
    millrace_futex_wake(word)
  }

  /// Sleeps until there was a change after `turn`; false if the time has come.
  @inline(never)
  func wait(for turn: UInt32, until deadline: UInt64) -> Bool { millrace_futex_wait(word, turn, deadline) == 0 }
}
