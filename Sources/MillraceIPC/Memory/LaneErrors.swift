internal import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// How much of a worker's standard error was written before the item that runs: its failure quotes what came after that.
///
/// Nobody is told when code of the user's writes there. But what was written is what the parent has read, which it counts in the
/// lane, and what lies in the pipe, which the kernel tells. Both are asked when an item begins; the count is not taken while the
/// parent is between the two.
extension Lane {
  private var errorReads: UnsafeMutablePointer<UInt64> { word(LaneLayout.errorReadsOffset) }
  private var errorBytes: UnsafeMutablePointer<UInt64> { word(LaneLayout.errorBytesOffset) }
  private var errorsBeforeItem: UnsafeMutablePointer<UInt64> { word(LaneLayout.markerOffset + 40) }

  /// In the parent: around each reading of the worker's standard error.
  package func beginReadingErrors() { millrace_store_release_u64(errorReads, errorReads.pointee | 1) }

  /// `total`: all that was ever read.
  package func endReadingErrors(total: Int) {
    millrace_store_release_u64(errorBytes, UInt64(total))
    millrace_store_release_u64(errorReads, (errorReads.pointee | 1) &+ 1)
  }

  /// In the worker: an item is about to begin; whether something was written since this was last asked. `pipe`: the number
  /// of its standard error.
  package func noteErrors(_ pipe: Int32) -> Bool {
    for attempt in 0..<64 {
      // It may be waiting for this very CPU.
      if attempt >= 8 { sched_yield() }
      let reads = millrace_load_acquire_u64(errorReads)
      let lying = millrace_unread_bytes(pipe)
      let total = millrace_load_acquire_u64(errorBytes) &+ UInt64(max(0, lying))
      guard reads & 1 == 0, millrace_load_acquire_u64(errorReads) == reads else { continue }
      guard errorsBeforeItem.pointee != total else { return false }
      millrace_store_release_u64(errorsBeforeItem, total)
      return true
    }
    // The parent stands still in the middle of it: more is quoted than need be.
    return true
  }

  /// In the parent, when the worker has died: how many bytes of its standard error were there before its item.
  package var errorsWrittenBefore: Int { Int(clamping: millrace_load_acquire_u64(errorsBeforeItem)) }
}
