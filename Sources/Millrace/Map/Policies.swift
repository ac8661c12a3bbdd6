extension MapOptions {
  /// In which order outcomes come.
  @nonexhaustive
  public enum Order: Sendable, Hashable {
    /// That of the input.
    case input
    /// As they finish.
    case completion
  }

  /// What a failed item means for its map.
  @nonexhaustive
  public enum FailurePolicy: Sendable, Hashable {
    /// The first failure ends the map: it is thrown, and the rest is cancelled.
    case failFast
    /// Everything is run; then, if items failed, ``ItemFailures`` is thrown.
    case collect
    /// Failed items are left out.
    case skip
  }

  /// Which worker gets which chunk.
  @nonexhaustive
  public enum Dispatch: Sendable, Hashable {
    /// Whoever is free takes the next one; nobody idles while work waits.
    case workConserving
    /// Chunk i goes to slot i modulo the width. In a map inside an item of the same pool, whose slots may wait for it, whoever is
    /// free takes the next one all the same.
    case roundRobin
  }

  /// When workers are set up.
  @nonexhaustive
  public enum SetUp: Sendable, Hashable {
    /// In every slot, as soon as the map has an item. In one whose worker ended in the set-ups of several maps, before it had run anything
    /// of theirs, the next has each just before its first chunk.
    case eager
    /// In a slot just before its first chunk.
    case lazy
  }
}
