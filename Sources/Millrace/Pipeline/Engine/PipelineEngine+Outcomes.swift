import MillraceIPC

// What a station has made, or left out, or failed with: into its edges, in its place.

extension PipelineEngine {
  /// Outcomes of a station's job.
  func delivered(_ place: Int, _ segment: Segment) {
    let station = stations[place]
    if station.hasFailed { return }
    switch segment.content {
    case .outputs(let outputs):
      var rest = segment.range
      while !rest.isEmpty {
        fillHoles(place, before: rest.lowerBound)
        // What failed before it came here has its place among them.
        let end = station.isOrdered ? min(rest.upperBound, station.holes.first?.place ?? .max) : rest.upperBound
        delivered(place, outputs, rest.lowerBound..<end)
        rest = end..<rest.upperBound
      }
    case .failure(let failure):
      // What could never run: the end of the job, which follows, says why.
      if station.onFailure == .theEnd, case .setUpFailed = failure.cause { return }
      fillHoles(place, before: segment.range.lowerBound)
      if let error = FlowStation.channelError(of: failure) {
        endsJob(of: station, failure)
        return fail(error)
      }
      let told = station.failure(failure)
      if station.onFailure == .theEnd, !isInOrder { return failedAtOnce(place, failure, as: told) }
      let sources = station.isSelfFed ? Sources(from: segment.range.lowerBound) : station.sources.answer(segment.range)
      let content = Parcel.Content.failure(told, means: station.onFailure, meta: failure.metaOfInput)
      let parcel = Parcel(content: content, count: 1, sources: sources)
      let isTheEnd = station.onFailure == .theEnd
      if !isTheEnd { put(parcel, place) }
      answer(place, upTo: segment.range.upperBound, used: 1, made: isTheEnd ? 0 : 1, isEach: !isTheEnd)
      if isTheEnd { failed(place, failure, as: parcel) }
    }
  }

  private func delivered(_ place: Int, _ outputs: any AnyObject & Sendable, _ range: Range<Int>) {
    let station = stations[place]
    let sources = station.isSelfFed ? Sources(from: range.lowerBound) : station.sources.answer(range)
    let values = station.job!.values(of: outputs, range)
    // Before what has failed behind these is put in its place.
    if values.stops { station.hasStopped = true }
    if station.marksGaps, let places = values.places {
      putWithGaps(values, places, sources, range.count, place)
      answer(place, upTo: range.upperBound, used: range.count, made: range.count, isEach: true)
      if values.stops { stopAsked(place) }
      return
    }
    if values.count > 0 {
      let own =
        values.places.map { places in
          Sources(station.origins(of: places, sources, range.count))
        } ?? sources
      put(Parcel(content: .values(values.items, from: values.offset), count: values.count, sources: own), place)
    } else if values.places != nil {
      _ = station.origins(of: [], sources, range.count)
    }
    answer(place, upTo: range.upperBound, used: range.count, made: values.count, isEach: values.places == nil)
    if values.stops { stopAsked(place) }
  }

  /// What was made of some of the items, each in its place; in those of the others what says that they were left out.
  private func putWithGaps(
    _ values: AnyStationJob.Outputs, _ places: [Int], _ sources: Sources, _ count: Int, _ place: Int
  ) {
    var (next, made) = (0, 0)
    while next < count {
      let begin = next
      if made < places.count, places[made] == next {
        let first = made
        while made < places.count, places[made] == next { (made, next) = (made + 1, next + 1) }
        put(
          Parcel(
            content: .values(values.items, from: values.offset + first), count: next - begin,
            sources: sources.dropFirst(begin)), place)
      } else {
        next = made < places.count ? places[made] : count
        put(Parcel(content: .gap, count: next - begin, sources: sources.dropFirst(begin)), place)
      }
    }
  }

  private func answer(_ place: Int, upTo index: Int, used: Int, made: Int, isEach: Bool) {
    let station = stations[place]
    station.note(used: used, made: made, isEach: isEach)
    machine.produced(place, used: station.isSelfFed ? 0 : used, made: made)
    station.answered = max(station.answered, index)
    fillHoles(place, before: station.answered)
  }

  /// Puts those that had failed before they came here where they belong.
  func fillHoles(_ place: Int, before index: Int) {
    let station = stations[place]
    while let hole = station.holes.first, hole.place <= index || !station.isOrdered {
      station.holes.removeFirst()
      let made = station.hasStopped ? 0 : pass(hole.parcel, place)
      station.note(used: 0, made: made, isEach: false)
      machine.produced(place, used: hole.parcel.count, made: made)
      // The job has not got these, and waits for as many. Not before: they count as it does, or there were no end to them behind an item
      // that takes long.
      machine.demanded(place, hole.parcel.count)
    }
  }

  /// Sends on what comes from before the station; how many items that is: what was left out is told no further than it has to be.
  func pass(_ parcel: Parcel, _ place: Int) -> Int {
    if case .gap = parcel.content, !stations[place].marksGaps { return 0 }
    put(parcel, place)
    return parcel.count
  }

  func put(_ parcel: Parcel, _ place: Int) {
    if isGivenUp { return }
    if stations[place].isChoice { return stations[place].undecided.append(parcel) }
    for edge in outputs[place] { queues[edge].append(parcel) }
  }
}
