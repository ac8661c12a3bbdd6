// Batches by time: what comes waits here, until it is enough or its time has come.

extension PipelineEngine {
  func gather(_ parcel: Parcel, _ gatherer: AnyGatherer, _ place: Int) {
    switch parcel.content {
    case .failure(_, let meaning, _):
      // Behind one that ends the run nothing comes.
      if meaning == .theEnd { endGathering(place) }
      // In its place among batches; what is gathered goes on to wait.
      put(parcel, place)
      return machine.produced(place, used: 1, made: 1)
    case .gap: return machine.produced(place, used: parcel.count, made: 0)
    case .values: break
    }
    for whole in gatherer.take(parcel) { send(whole, place) }
    guard !gatherer.isEmpty, !gatherer.isTimed else { return }
    gatherer.isTimed = true
    let (number, duration) = (gatherer.number, gatherer.duration)
    // Nothing of this task's is waited for, and what it says too late is not heard.
    gatherer.alarm?.cancel()
    gatherer.alarm = Task { [weak self] in
      do { try await ContinuousClock().sleep(for: duration) } catch { return }
      self?.tell { $0.timeIsOver(number, place) }
    }
  }

  private func timeIsOver(_ number: Int, _ place: Int) {
    guard let gatherer = stations[place].gatherer, gatherer.number == number else { return }
    endGathering(place)
  }

  /// What there is goes on.
  func endGathering(_ place: Int) {
    guard let gatherer = stations[place].gatherer else { return }
    gatherer.alarm?.cancel()
    gatherer.alarm = nil
    if let rest = gatherer.takeAll() { send(rest, place) }
  }

  private func send(_ whole: (batch: Parcel, used: Int), _ place: Int) {
    put(whole.batch, place)
    machine.produced(place, used: whole.used, made: 1)
  }
}
