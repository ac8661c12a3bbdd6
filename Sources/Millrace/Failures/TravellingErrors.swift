package import MillraceIPC

// What a map or a pool throws inside a worker process, and is passed on there, arrives at the program as itself.

extension TravellingError {
  package static var standIn: any ErrorStandIn.Type { RemoteError.self }
}

extension WorkerPoolError: TravellingError {}
extension InvalidOption: TravellingError {}
extension SystemError: TravellingError {}
extension TransportError: TravellingError {}

extension ItemFailure: TravellingError {
  package struct Form {
    var index: Int
    var slot: Int
    var attempt: Int
    var causes: [CauseForm]
    var standardError: String
    var stage: Stage?
  }

  package var form: Form {
    Form(
      index: index, slot: slot, attempt: attempt, causes: cause.forms, standardError: standardError, stage: stage)
  }

  package init(form: Form) {
    self.init(
      index: form.index, slot: form.slot, attempt: form.attempt, cause: Cause(form.causes),
      standardError: form.standardError, stage: form.stage)
  }
}

extension ItemFailures: TravellingError {
  package struct Form {
    var failures: [ItemFailure.Form]
    var count: Int
  }

  package var form: Form { Form(failures: failures.map(\.form), count: count) }

  package init(form: Form) { self.init(failures: form.failures.map(ItemFailure.init), count: form.count) }
}

extension WorkerFailure: TravellingError {
  package struct Form {
    var causes: [CauseForm]
    var standardError: String
  }

  package var form: Form { Form(causes: cause.forms, standardError: standardError) }

  package init(form: Form) { self.init(ItemFailure.Cause(form.causes), standardError: form.standardError) }
}

/// One of a cause and those in it, for a value cannot travel in one of its own type.
package enum CauseForm {
  case threw(any Error)
  case crashed(kind: ItemFailure.Crash.Kind, signal: Int32)
  case exited(code: Int32)
  case timedOut(limit: Duration)
  case setUpFailed(any Error)
  case undecodable(any Error)
  /// The last cause is the next.
  case quarantined(crashes: Int)
}

extension ItemFailure.Cause {
  fileprivate var forms: [CauseForm] {
    switch self {
    case .threw(let error): [.threw(error)]
    case .crashed(let crash): [.crashed(kind: crash.kind, signal: crash.signal)]
    case .exited(let code): [.exited(code: code)]
    case .timedOut(let limit): [.timedOut(limit: limit)]
    case .setUpFailed(let error): [.setUpFailed(error)]
    case .undecodable(let error): [.undecodable(error)]
    case .quarantined(let crashes, let last): [.quarantined(crashes: crashes)] + last.forms
    }
  }

  fileprivate init(_ forms: [CauseForm]) {
    // A worker that is about to crash may send anything, none among it.
    var cause = ItemFailure.Cause.exited(code: -1)
    for form in forms.reversed() {
      switch form {
      case .threw(let error): cause = .threw(error)
      case .crashed(let kind, let signal): cause = .crashed(ItemFailure.Crash(kind: kind, signal: signal))
      case .exited(let code): cause = .exited(code: code)
      case .timedOut(let limit): cause = .timedOut(limit: limit)
      case .setUpFailed(let error): cause = .setUpFailed(error)
      case .undecodable(let error): cause = .undecodable(error)
      case .quarantined(let crashes): cause = .quarantined(crashes: crashes, last: cause)
      }
    }
    self = cause
  }
}
