extension WorkerPool {
  /// Begins a job whose outcomes go elsewhere: to an edge, and so to another job.
  ///
  /// It lasts until its input ends, it fails, it is cancelled, or nobody wants what it makes any more. An edge that is read by a job that
  /// cannot begin is to be ended by whoever made both (`cancel`).
  package func begin<W: Worker>(
    _ items: ItemSource<W.Input>, with worker: W, into outlet: any Outgoing, order: MapOptions.Order = .input,
    onFailure: MapOptions.FailurePolicy = .failFast, options: MapOptions = MapOptions()
  ) throws -> JobRecord {
    let request = MapRequest(options: options, order: order, onFailure: onFailure, isPulled: true, outlet: outlet)
    let job = try start(items, worker, request)
    // It has no consumer who could do the work.
    if core.driver != nil { Task(executorPreference: LaneThread.ofFork) { [core] in await core.drive(job) } }
    return job
  }

  /// The outputs of a map over what comes over an edge. To be iterated once.
  package func outputs<W: Worker>(
    of edge: Edge<W.Input>, with worker: W, order: MapOptions.Order = .input,
    onFailure: MapOptions.FailurePolicy = .failFast, options: MapOptions = MapOptions()
  ) -> OutputSequence<W.Output, Edge<W.Input>> {
    outputs(ItemSource(edge), worker, options, order, onFailure)
  }

  /// The outcomes of a map of which some are known before it begins, or before their items come (``KnownOutcomes``,
  /// ``DeliveredItems``). To be iterated once.
  package func outcomes<W: Worker, Items>(
    of items: ItemSource<W.Input>, with worker: W, knowing known: any Knowing,
    order: MapOptions.Order = .input, options: MapOptions = MapOptions()
  ) -> OutcomeSequence<W.Input, W.Output, Items> {
    let request = MapRequest(options: options, order: order, onFailure: .skip, isPulled: true, known: known)
    return OutcomeSequence { [self] in cursor(items, worker, request) }
  }

  /// What its slots are made of, for what only some can do.
  package var slots: any Slots { core.backend }

  /// Gives up a job that was begun here.
  package func cancel(_ job: JobRecord) { core.cancel(job) }
}
