extension Blueprint {
  /// Throws where an argument of a stage, or a source, means nothing.
  func check() throws {
    try each { stage in
      if let problem = stage.problem { throw problem }
      try stage.check()
    }
  }

  /// What a run would refuse of it before it begins, whatever the system says: an argument, an option, a width.
  func refusal(of stations: [Station]) -> (any Error)? {
    do {
      try check()
      let jobs = stations.indices.filter { !stations.isReadByItsReader($0, in: self) }.map { stations[$0] }.filter {
        $0.kind != .wiring || stages[$0.stages[0]].isInlet
      }
      for station in jobs {
        let stage = stages[station.stages[0]]
        guard let backend = stage.options.backend, station.kind == .elastic else { continue }
        _ = try WorkerPool.Backend(backend.kind, width: station.width ?? backend.width).resolvedWidth()
      }
      for station in jobs { try stages[station.stages[0]].mapOptions.validate() }
      return nil
    } catch {
      return error
    }
  }

  /// Lets them do what comes before anything runs.
  func prepare() throws { try each { try $0.prepare() } }

  private func each(_ body: (Stage) throws -> Void) throws {
    for (position, stage) in stages.enumerated() {
      do {
        try body(stage)
      } catch let error where !(error is InvalidOption) {
        // What the system refuses it.
        throw PipelineError(
          .setUpFailed, ItemFailure.Stage(name: stage.name, position: position), PipelineError.Kind.setUpFailed.words,
          underlying: error)
      }
    }
  }
}

extension Blueprint.Stage {
  fileprivate var isInlet: Bool { if case .inlet = work { true } else { false } }

  /// Its options as those of the job that it is.
  var mapOptions: MapOptions {
    MapOptions(
      chunking: isPaced ? .size(1) : .automatic, window: options.window ?? .automatic, retry: options.retry ?? .never,
      timeouts: options.timeouts ?? MapOptions.Timeouts(),
      lifespan: options.lifespan ?? MapOptions.Lifespan(), keepsWorkers: false)
  }

  fileprivate func check() throws {
    switch work {
    case .merge where inputs.isEmpty, .join where inputs.isEmpty:
      throw InvalidOption(name: name, value: "empty", allowed: "of one flow at least")
    default: try (itself as? any CheckedStage)?.check()
    }
  }

  fileprivate func prepare() throws { try (itself as? any PreparedStage)?.prepare() }

  /// As it was written.
  private var itself: Any? {
    switch work {
    case .source(let source): source
    case .worker(let worker): worker
    case .stage(let stage): stage
    case .gather(let gathering): gathering
    case .inlet, .elastic, .choice, .merge, .join: nil
    }
  }
}

extension PipelineNode.Group {
  /// What is wrong with it, or with a group around it.
  var problem: InvalidOption? { ownProblem ?? unfit }

  private var ownProblem: InvalidOption? {
    if let refusal { return refusal }
    if let balance = options.balance {
      do {
        try InvalidOption.check("balanced(cpus:)", balance.cpus, in: 1...WorkerPool.Backend.maximumWidth)
      } catch {
        return error
      }
    }
    guard let width else { return outer?.ownProblem }
    do {
      try InvalidOption.check(title ?? "width", width, in: 1...WorkerPool.Backend.maximumWidth)
    } catch {
      return error
    }
    guard let backend = options.backend, let given = backend.givenWidth, given != width else {
      return outer?.ownProblem
    }
    let isAble = backend.kind.widths.contains(width)
    let (wide, slots) = (backend.kind.description(width: "\(width)"), Self.slots(width))
    return InvalidOption(
      name: written(on: ""), value: backend,
      allowed: isAble
        ? "as wide as the group is: \(wide), or without a width"
        : "what may have \(slots), as \(written(on: " .threads()"))")
  }

  /// What is wrong with a width here and a backend that was given elsewhere, in options or a group.
  private var unfit: InvalidOption? {
    var wide = self
    while wide.width == nil, let outer = wide.outer { wide = outer }
    guard let width = wide.width, let backend = resolved.backend, !backend.kind.widths.contains(width) else {
      return nil
    }
    return InvalidOption(
      name: wide.title == "Serial" ? "Serial" : "\(wide.title ?? "width")(\(width))", value: "on \(backend)",
      allowed: "on what may have \(Self.slots(width)), as \(wide.written(on: " .threads()"))")
  }

  private static func slots(_ width: Int) -> String { width == 1 ? "1 slot" : "\(width) slots" }

  /// As it was written, or would be: `Parallel(3, on: .threads())`.
  private func written(on backend: String) -> String {
    let count = title == "Serial" || width == nil ? "" : "\(width!), "
    return "\(title ?? "width")(\(count)on:\(backend))"
  }
}
