/// Why a worker process, or the fork server, could not be started.
package enum LaunchError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Pools inside pools inside pools: the limit of nesting.
  case tooDeep(limit: Int)
  /// The system refused.
  case system(SystemCallError)
  /// The fork server has ended; start another one.
  case serverDied
  /// The fork server does not answer, and is ended.
  case serverSilent

  package var description: String {
    switch self {
    case .tooDeep(let limit):
      "cannot start a worker process: this one is itself the worker of a worker of a worker…, \(limit) deep, which is the limit"
    case .system(let error): "cannot start a worker process: \(error)"
    case .serverDied: "cannot start a worker process: the fork server has ended"
    case .serverSilent: "cannot start a worker process: the fork server does not answer"
    }
  }
}

#if os(Linux)
import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension LaunchError {
  /// From an errno of the C side, where ELOOP stands for the depth guard.
  init(call: String, code: Int32) {
    self = code == ELOOP ? .tooDeep(limit: Int(MILLRACE_DEPTH_LIMIT)) : .system(SystemCallError(call, code))
  }
}
#endif
