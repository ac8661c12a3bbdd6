/// What the log says of events: those of which the user should know, though nobody asks. This is the only place where they become
/// sentences.
package enum EventLog {
  /// Whether there may be a line of it. Asked under the pool's lock: a sentence is made after it, for it may describe an error of the
  /// user's.
  static func mentions(_ event: DispatchEvent) -> Bool {
    switch event {
    case .setUpFailed(_, _, _, _, _, let isWanted): !isWanted
    case .slotRests(_, _, _, _, let isNews): isNews
    case .slotBenched, .workerEnded: true
    default: false
    }
  }

  /// The worker of which the lines of the event are, and what it has thrown; nil: they are of none.
  static func worker(of event: DispatchEvent) -> (key: WorkerKey, error: (any Error)?)? {
    switch event {
    case .setUpFailed(_, _, let key, let error, _, _), .slotBenched(_, let key, let error): return (key, error)
    case .workerEnded(_, _, let end):
      switch (end.activity, end.cause) {
      case (_, .killed(.tearDownTimedOut(let key, _))), (_, .givenUp(.tearDownTimedOut(let key, _))): return (key, nil)
      case (.tearingDown(let key), _), (.settingUp(let key), _): return (key, nil)
      default: return nil
      }
    default: return nil
    }
  }

  /// The lines of the event, each with its slot; mostly none.
  package static func lines(of event: DispatchEvent) -> [(text: String, slot: Int)] {
    switch event {
    // One that was told that nobody wants it any more, and so ended, is no news.
    case .setUpFailed(_, _, _, is CancellationError, _, false): []
    case .setUpFailed(let slot, _, _, let error, _, false): [("set-up failed: \(error)", slot)]
    case .slotBenched(let slot, _, let error):
      [("set-up keeps failing here, and the slot is left out: \(error.inWords)", slot)]
    case .slotRests(let slot, _, let error, isForRoom: true, isNews: true):
      [("\(error); the pool goes on with fewer, and tries again", slot)]
    case .slotRests(let slot, _, let error, isForRoom: false, isNews: true): [("\(error); the other slots go on", slot)]
    case .workerEnded(let slot, _, let end): end.sentences.map { ($0, slot) }
    default: []
    }
  }
}

extension WorkerDeparture {
  fileprivate var sentences: [String] {
    switch cause {
    case .ended, .endedWithAnother: []
    case .died(let cause):
      if case .tearingDown = activity { ["the worker died in its tear-down: \(cause)"] } else { [] }
    case .killed(let reason): sentence(of: reason).map { [$0] } ?? []
    case .givenUp(let reason):
      ["the worker could not be ended, and is given up"] + (sentence(of: reason).map { [$0] } ?? [])
    }
  }

  private func sentence(of reason: KillReason) -> String? {
    switch (activity, reason) {
    case (_, .tearDownTimedOut(_, let limit)):
      "tear-down took longer than \(Duration.nanoseconds(limit)); the worker was ended"
    case (.ending, .endingTimedOut):
      "the worker did not end within \(Duration.nanoseconds(endingTime)), and was killed"
    case (.starting, .silent), (.working, .silent), (.idle, .silent):
      "the worker did not begin what it was given, and was ended"
    default: nil
    }
  }
}
