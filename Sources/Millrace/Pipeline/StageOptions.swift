/// What a stage, or a group of them, does besides its work; what is not given is inherited from the group around it, and the pipeline.
package struct StageOptions: Sendable {
  /// What it is called in layouts and failures.
  package var name: String?
  /// What its slots are made of; nil: the pipeline's pool.
  package var backend: WorkerPool.Backend?
  /// In which order it sees and gives items.
  package var order: MapOptions.Order?
  /// What a failed item means for the run.
  package var onFailure: MapOptions.FailurePolicy?
  package var retry: MapOptions.Retry?
  package var timeouts: MapOptions.Timeouts?
  package var lifespan: MapOptions.Lifespan?

  package init(
    name: String? = nil, on backend: WorkerPool.Backend? = nil, order: MapOptions.Order? = nil,
    onFailure: MapOptions.FailurePolicy? = nil, retry: MapOptions.Retry? = nil, timeouts: MapOptions.Timeouts? = nil,
    lifespan: MapOptions.Lifespan? = nil
  ) {
    self.name = name
    self.backend = backend
    self.order = order
    self.onFailure = onFailure
    self.retry = retry
    self.timeouts = timeouts
    self.lifespan = lifespan
  }

  /// These, and where they say nothing, the others.
  package func inheriting(_ outer: StageOptions) -> StageOptions {
    StageOptions(
      name: name, on: backend ?? outer.backend, order: order ?? outer.order, onFailure: onFailure ?? outer.onFailure,
      retry: retry ?? outer.retry, timeouts: timeouts ?? outer.timeouts, lifespan: lifespan ?? outer.lifespan)
  }
}
