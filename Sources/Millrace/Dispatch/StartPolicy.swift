/// What is made of slots that get no worker, or lose it before it has done anything. What that means depends on what workers are made of,
/// so each backend says it.
///
/// Such a slot *rests*, and the others go on. It asks again when that is over. A job ends for want of workers only when none of its
/// slots is waited for any more.
package struct StartPolicy: Sendable {
  /// How many workers may die on start within `period` before their slot rests, for as long.
  package var maximumDeaths = 3
  package var period: UInt64 = 10_000_000_000
  /// Where somebody goes about killing workers, those that had just begun say nothing about the next: then so many times as many may.
  package var patience = 8
  /// A worker that has done nothing, and is younger than this, died on start.
  package var youth: UInt64 = 1_000_000_000
  /// How long a slot rests in which no worker could be started.
  package var pause: UInt64 = 5_000_000_000
  /// Whether workers cannot be started for want of something that those of other slots have, as on one machine: then a slot is asked
  /// again when one of them ends, and the first that gets none speaks for all. Else each speaks for itself, as one of several machines.
  package var isForRoom = true
  /// Whether the log says that no worker could be started in a slot. Not where whoever starts them says so, for all.
  package var isTold = true
  /// After how many rests in a row a slot is not waited for any more.
  package var attempts = 1
  /// Whether what was read of a job that ends for want of workers has an outcome, that none could be set up. Not where the items may be run yet, by the next
  /// program that takes the job up.
  package var failsItems = true
  /// Whether a start takes as long as others like, who may never come: a slot that starts, and that nobody needs any more, is not waited for.
  package var waitsForOthers = false

  package init() {}
}
