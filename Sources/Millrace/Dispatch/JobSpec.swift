/// What the dispatcher knows of a job.
package struct JobSpec {
  package enum Window: Sendable, Hashable {
    case items(Int)
    case chunks(perWorker: Double)
  }

  package struct Lifespan: Sendable, Hashable {
    package var items: Int?
    package var memory: Int?
    package var age: UInt64?

    package init(items: Int? = nil, memory: Int? = nil, age: UInt64? = nil) {
      self.items = items
      self.memory = memory
      self.age = age
    }
  }

  package var worker: WorkerKey
  package var ordered = true
  package var chunking = ChunkSizer(.automatic)
  package var total: Int?
  package var window: Window = .chunks(perWorker: 2)
  /// How many items for each worker a window of chunks may hold besides as many as the consumer has taken; nil: any number.
  ///
  /// Where it has a value, chunks that hold several items are done in a moment, and the window has at least `depthOfQuick` of them.
  package var ahead: Int?
  /// So many quick chunks for each worker are ahead: a consumer or an input that has something to do meanwhile leaves no slot
  /// without work.
  package static var depthOfQuick: Double { 8 }
  package var failFast = false
  package var maximumFailures: Int?
  package var retries = 0
  package var backoff: MapOptions.Backoff = .none
  package var crashLimit = 3
  package var itemTimeout: UInt64?
  package var setUpTimeout: UInt64?
  package var tearDownTimeout: UInt64?
  /// How long the job may take, from its submission.
  package var totalTimeout: UInt64?
  package var lifespan = Lifespan()
  package var roundRobin = false
  /// So many slots at the most are at chunks of the job at the same time; nil: all of them. Which slots these are may change with each
  /// chunk. With it, slots do not take turns (`roundRobin`).
  package var maximumSlots: Int?
  /// Of the jobs of a level, those of the highest urgency are served first, as a later stage of a flow is before an earlier one; those
  /// of the same take turns.
  package var urgency = 0
  /// How many maps of the same pool there are around it, or wait for it: 0, if it was not made by an item of the pool, and none
  /// waits for it.
  package var level = 0
  package var eagerSetUp = true
  /// Whether the worker's instances stay in their slots when the job is over.
  package var keepsWorkers = true
  package var seed: UInt64 = 0
  /// Whether the consumer takes outcomes one by one, and may take none for long.
  ///
  /// Its window counts what it has not taken yet, and shutting down ends its input. Of other jobs all outcomes are kept to
  /// the end in any case: what is delivered has left the window.
  package var isPulled = false

  /// Whether a run, of which it is a part, ends its input when the pool shuts down or drains: what other parts have made of what was
  /// read is still on its way to it.
  package var endsWithItsRun = false

  /// Whether its input is in memory: then several chunks are read at once.
  package var readsAtOnce = false

  /// Whether automatic chunks have many items before anything was measured: where a chunk that was begun can be shared, and
  /// nobody waits for its first outcome.
  package var startsLarge = false

  package init(worker: WorkerKey) { self.worker = worker }
}
