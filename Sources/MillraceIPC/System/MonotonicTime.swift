internal import CMillrace

/// The monotonic clock that the whole machine shares, in nanoseconds: it does not go back, and stands still while the
/// machine sleeps. Deadlines and item start times are in it.
@usableFromInline
package enum MonotonicTime {
  @usableFromInline package static var now: UInt64 { millrace_monotonic_now() }

  /// The deadline that never comes.
  package static var never: UInt64 { .max }
}
