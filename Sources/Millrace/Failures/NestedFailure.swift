extension Error {
  /// The error, or, where maps inside items have failed one for the other because they are nested too deep: what the
  /// innermost said, once, without what each of the others has put around it.
  var withoutLevels: any Error {
    var root: any Error = self
    while let failure = root as? ItemFailure, case .threw(let inner) = failure.cause { root = inner }
    if let error = root as? WorkerPoolError, error.kind == .nestedTooDeep { return error }
    return self
  }
}
