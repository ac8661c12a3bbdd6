import CMillrace
import Synchronization

/// Sees to it that a copy of the program, made by `fork` in code of a user's that returns in both processes, does nothing of a
/// pool's: it has one thread, and the outcomes are the original's to deliver.
///
/// In a copy, the run that its thread is in is abandoned, so it does not go on to the next item; and whoever called the
/// user's code asks whether it has come back in a copy.
final class CopyGuard: @unchecked Sendable {
  // Sound: the place is the C side's, under its lock; `forks` belongs to whoever runs the lane.
  private let place = UnsafeMutablePointer<millrace_watched>.allocate(capacity: 1)
  private var forks: UInt32 = 0

  /// - Parameter progress: of the lane's runs; valid for as long as this is.
  init(_ progress: UnsafePointer<Atomic<UInt64>>) {
    // An `Atomic` is nothing but its word.
    let word = UnsafeMutableRawPointer(mutating: progress).assumingMemoryBound(to: UInt64.self)
    millrace_copies_watch(place, word, abandonedBit)
  }

  deinit {
    millrace_copies_forget(place)
    place.deallocate()
  }

  /// Code of the user's is about to be called.
  func enter() { forks = millrace_fork_count() }

  /// It has come back: in a copy, it is over here.
  func leave() { if millrace_fork_count() != forks { millrace_copy_end() } }
}
