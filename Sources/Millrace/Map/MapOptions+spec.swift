extension MapOptions {
  func validate() throws {
    try check("timeouts.item", timeouts.item)
    try check("timeouts.setUp", timeouts.setUp)
    try check("timeouts.tearDown", timeouts.tearDown)
    try check("nextTimeout", nextTimeout)
    try check("timeouts.total", timeouts.total)
    try check("lifespan.age", lifespan.age)
    try check("lifespan.items", lifespan.items, atLeast: 1)
    try check("lifespan.memory", lifespan.memory, atLeast: 1)
    try check("maximumFailures", maximumFailures, atLeast: 0)
    try check("count", count, atLeast: 0)
    try check("retry.upTo", retry.maximum, atLeast: 0)
    try check("retry.maximumCrashes", retry.maximumCrashes, atLeast: 1)
    switch window.kind {
    case .items(let count): try check("window.items", count, atLeast: 1)
    case .automatic: break
    case .chunks(let count), .perWorker(let count):
      guard count >= 1, count.isFinite else {
        throw InvalidOption(name: "window", value: "\(count)", allowed: "a finite number, at least 1")
      }
    }
    try retry.backoff.validate()
    try chunking.validate()
  }

  /// Sixteen chunks for each worker, or as many as make two thousand items: while one worker is at an item that takes long, the
  /// others do what is behind it. Not more, for what is read ahead is cut in chunks before its time is known.
  private var chunksInMemory: Double {
    guard case .items(let size) = chunking.rule else { return 16 }
    return max(16, 2_048 / Double(size))
  }

  private func check(_ name: String, _ value: Duration?) throws {
    if let value, value <= .zero { throw InvalidOption(name: name, value: value, allowed: "more than zero") }
  }

  private func check(_ name: String, _ value: Int?, atLeast minimum: Int) throws {
    if let value, value < minimum {
      throw InvalidOption(name: name, value: value, allowed: "at least \(minimum)")
    }
  }

  /// - Parameter isInMemory: whether the whole input and all outputs are, so that a window saves nothing.
  func spec(_ worker: WorkerKey, width: Int, isInMemory: Bool) -> JobSpec {
    var spec = JobSpec(worker: worker)
    spec.chunking = ChunkSizer(chunking)
    spec.total = count
    spec.window =
      switch window.kind {
      case .automatic: .chunks(perWorker: isInMemory ? chunksInMemory : 2)
      case .items(let count): .items(count)
      case .chunks(let count): .chunks(perWorker: count)
      case .perWorker(let count): .items(max(1, Int(atMost: count * Double(width))))
      }
    if window.kind == .automatic, chunking.rule == .automatic { spec.ahead = Window.ahead }
    spec.maximumFailures = maximumFailures
    spec.retries = retry.maximum
    spec.backoff = retry.backoff
    spec.crashLimit = retry.maximumCrashes
    spec.itemTimeout = timeouts.item?.nanoseconds
    spec.setUpTimeout = timeouts.setUp?.nanoseconds
    spec.tearDownTimeout = timeouts.tearDown?.nanoseconds
    spec.totalTimeout = timeouts.total?.nanoseconds
    spec.lifespan = JobSpec.Lifespan(
      items: lifespan.items, memory: lifespan.memory, age: lifespan.age?.nanoseconds)
    spec.roundRobin = dispatch == .roundRobin
    spec.eagerSetUp = setUp == .eager
    spec.keepsWorkers = keepsWorkers
    spec.seed = seed
    return spec
  }
}

extension Int {
  /// The number, rounded up, or the largest there is.
  init(atMost number: Double) {
    let whole = number.rounded(.up)
    self = whole < Double(Int.max) ? Int(whole) : .max
  }
}
