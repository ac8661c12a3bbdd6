import MillraceIPC

extension Error {
  /// The error as it reaches the user: what the rooms below throw has no name for him, and is said with a public type.
  ///
  /// Wherever one of their errors becomes part of a public one, or leaves its process. `ErrorMatrixTests` looks whether that is so.
  package var forUsers: any Error {
    switch self {
    case let error as PayloadError:
      switch error {
      case .notTransportable(let name, _): TransportError(.unsupportedType, "\(error)", typeName: name)
      case .malformed(let name, _): TransportError(.malformedValue, "\(error)", typeName: name)
      }
    case is WireProblem, is ProtocolError: TransportError(.connectionLost, "\(self)")
    case is SharedMissing: TransportError(.sharedObject, "\(self)")
    case let error as SystemCallError: SystemError(error.call, error.code)
    case let error as MemoryError: SystemError(error.call, error.code)
    case let error as ThreadRefused: SystemError("pthread_create", error.code)
    case let error as LaunchError:
      switch error {
      case .tooDeep: WorkerPoolError(.nestedTooDeep, "\(error)")
      case .system(let error): SystemError(error.call, error.code)
      case .serverDied, .serverSilent: TransportError(.connectionLost, "\(error)")
      }
    case let error as WireError: error.error(RemoteError.self)
    default: self
    }
  }
}
