/// Something of yours that shows, or keeps, how far a map is: ``ProgressStyle/custom(_:name:unit:)``.
public protocol ProgressReporter: Sendable {
  /// Called when the map begins, at most ten times a second while it runs, whether anything has moved or not, and once when it is over,
  /// with another phase than `running`. The map returns when that last call has.
  ///
  /// It runs on a thread that does this for all maps of the program, one call at a time, and none of Millrace's locks is held. While it
  /// runs no bar moves, so it should not take long.
  func report(_ state: ProgressState)
}
