package import MillraceIPC

/// What one of the stages of a station threw, and which.
package struct StageFault: Error, CustomStringConvertible {
  /// Which of the station's stages, from 0.
  let part: Int
  let error: any Error

  package var description: String { error.inWords }
}

extension StageFault: TravellingError {
  package struct Form {
    var part: Int
    var error: CauseForm
  }

  package var form: Form { Form(part: part, error: .threw(error)) }

  package init(form: Form) {
    part = form.part
    error = if case .threw(let error) = form.error { error } else { CancellationError() }
  }

  package static var standIn: any ErrorStandIn.Type { RemoteError.self }
}
