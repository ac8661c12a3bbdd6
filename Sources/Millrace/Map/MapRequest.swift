/// What a verb asks for, besides items and worker.
struct MapRequest: Sendable {
  var options: MapOptions
  var order = MapOptions.Order.input
  var onFailure = MapOptions.FailurePolicy.failFast
  /// Whether the consumer takes results one by one, and may take none for long.
  var isPulled = false
  /// Whether the consumer wants the outputs, and not only failures and the end.
  var wantsOutputs = true
  /// Where outcomes go at once; nil: to a consumer.
  var outlet: (any Outgoing)?
  /// What some of the items have come to already.
  var known: (any Knowing)?
  /// The stage of a pipeline that it is: what the pool has to say of its items says so.
  var stage: String?
  /// Whether the run of which it is a part ends its input when the pool ends.
  var endsWithItsRun = false
  /// Where the items stand in another program's map.
  var origin = ItemOrigin()

  func validate() throws {
    try options.validate()
    if let most = options.maximumFailures, onFailure == .failFast {
      throw InvalidOption(
        name: "maximumFailures", value: "\(most)",
        allowed: "nil with .failFast, which ends the map at the first failure: say onFailure: .collect or .skip")
    }
  }

  /// The job that is to be made of it.
  func spec(_ worker: WorkerKey, width: Int, isInMemory: Bool) -> JobSpec {
    var spec = options.spec(worker, width: width, isInMemory: isInMemory)
    spec.ordered = order == .input
    spec.failFast = onFailure == .failFast
    spec.isPulled = isPulled
    spec.endsWithItsRun = endsWithItsRun
    return spec
  }
}
