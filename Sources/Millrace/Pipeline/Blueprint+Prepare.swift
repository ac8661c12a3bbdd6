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
    case .merge where inputs.isEmpty, .join where inputs.isEmpty:
      throw InvalidOption(name: name, value: "empty", allowed: "of one flow at least")
    case .inlet, .elastic, .choice, .merge, .join: break
    }
  }
}

extension PipelineNode.Group {
  /// What is wrong with it, or with a group around it.
  var problem: InvalidOption? { ownProblem ?? unfit }

  private var ownProblem: InvalidOption? {
    if let refusal { return refusal }
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
