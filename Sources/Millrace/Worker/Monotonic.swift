import MillraceIPC

/// Nanoseconds on the clock that does not go back, and stands still while the machine sleeps.
@usableFromInline
package func _monotonicNow() -> UInt64 { MonotonicTime.now }
