/// The progress of a worker process: it has no terminal, so it goes to the program around it.
struct ProgressRelay: ProgressSink {
  func show(_ states: [(any ShownProgress, ProgressState)], at now: UInt64) {
    for (shown, state) in states {
      let slot = (shown as? ProgressTracker)?.slot
      guard let record = ProgressRecord(map: shown.number, slot: slot, style: shown.style, state: state) else {
        continue
      }
      WorkerLogHandler.write(record.bytes)
    }
  }
}
