extension Error {
  /// The error, or, where maps inside items have failed one for the other because they are nested too deep: what the
  /// innermost said, once, without what each of the others has put around it.
  var withoutLevels: any Error {
    var root: any Error = self
    while let failure = root as? ItemFailure, case .threw(let inner) = failure.cause { root = inner }
    switch root {
    case let error as WorkerPoolError where error.kind == .nestedTooDeep: return error
    // The same, from a worker process.
    case let error as RemoteError where error.typeName.hasSuffix("WorkerPoolError"):
      return error.message.hasSuffix(WorkerPoolError.tooDeepEnd) ? error : self
    default: return self
    }
  }
}

extension WorkerPoolError {
  /// The end of what is said where pools, or maps, are nested too deep.
  static let tooDeepEnd = "may be nested"
}
