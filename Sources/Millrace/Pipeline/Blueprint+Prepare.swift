extension Blueprint {
  /// Throws where an argument of a stage, or a source, means nothing, and lets them do what comes before anything runs.
  func prepare() throws {
    for (position, stage) in stages.enumerated() {
      if let problem = stage.problem { throw problem }
      do {
        try stage.prepare()
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
  fileprivate func prepare() throws {
    switch work {
    case .source(let source): try (source as? any PreparedStage)?.prepare()
    case .worker(let worker): try (worker as? any PreparedStage)?.prepare()
    case .stage(let stage): try (stage as? any PreparedStage)?.prepare()
    case .gather(let gathering): try gathering.prepare()
    case .inlet, .elastic, .choice, .merge, .join: break
    }
  }
}

extension PipelineNode.Group {
  /// What is wrong with its width: that it has two.
  var problem: InvalidOption? {
    guard let width, let backend = options.backend, let other = backend.width, other != width else {
      return outer?.problem
    }
    let kind = backend.kind.description(width: "\(width)")
    return InvalidOption(
      name: width == 1 ? "Serial(on:)" : "Parallel(on:)", value: backend,
      allowed: "as wide as the group is: \(kind), or without a width")
  }
}
