import Millrace
import Testing

/// An error and all that are in it.
func tree(_ error: any Error) -> [any Error] {
  switch error {
  case let error as WorkerPoolError: [error] + (error.underlying.map(tree) ?? [])
  case let error as ItemFailure: [error] + tree(error.cause)
  case let error as ItemFailures: [error] + error.failures.flatMap { tree($0) }
  case let error as PipelineError: [error] + (error.underlying.map(tree) ?? [])
  case let error as WorkerFailure: [error] + tree(error.cause)
  default: [error]
  }
}

private func tree(_ cause: ItemFailure.Cause) -> [any Error] {
  switch cause {
  case .threw(let error), .setUpFailed(let error), .undecodable(let error): tree(error)
  case .quarantined(_, let last): tree(last)
  default: []
  }
}

/// The types of Millrace's errors that a user can name.
let publicErrors: [any Error.Type] = [
  Interrupted.self, InvalidLine.self, InvalidOption.self, ItemFailure.self, ItemFailures.self, PipelineError.self,
  ProgramFailure.self, RemoteError.self, StridedMapError.self,
  SystemError.self, TransportError.self, UpstreamFailure.self, WorkerFailure.self, WorkerPoolError.self,
]

/// Expects that the user can name each error in the error: one of Millrace's, of the standard library's, or his own.
func expectNameable(_ error: any Error, _ what: Comment) {
  for each in tree(error) {
    let name = String(reflecting: type(of: each))
    let isOurs = name.hasPrefix("Millrace")
    let isPublic = publicErrors.contains { $0 == type(of: each) }
    #expect(isOurs ? isPublic : name.hasPrefix("Swift.") || name.hasPrefix("Acceptance."), "\(what): \(name): \(each)")
    // A type that only its name has come from may not be one of ours either.
    if let remote = each as? RemoteError {
      #expect(!remote.typeName.hasPrefix("Millrace"), "\(what): \(remote.typeName): \(remote)")
    }
  }
}
