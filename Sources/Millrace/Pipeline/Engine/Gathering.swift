/// What collects items by time too: it needs no slot, for nothing runs there. The engine does it, between two stations.
package protocol AnyGathering: PreparedStage, Sendable {
  func makeGatherer() -> AnyGatherer
}

struct Gathering<M: BatchMeasure>: AnyGathering {
  let rule: Batched
  let measure: M

  package func prepare() throws { try rule.check(measure) }
  package func makeGatherer() -> AnyGatherer { Gatherer(rule, measure) }
}

/// What a run has gathered at one place.
package class AnyGatherer: @unchecked Sendable {
  // Sound: belongs to the engine's turn.
  let duration: Duration
  /// Which batch grows: a time that was set for another is over.
  fileprivate(set) var number = 0
  /// Whether the time of the one that grows is running.
  var isTimed = false
  var alarm: Task<Void, Never>?

  init(_ duration: Duration) { self.duration = duration }

  var isEmpty: Bool { true }
  /// The batches that are whole with these items, as parcels, and of how many items they are.
  func take(_ parcel: Parcel) -> [(batch: Parcel, used: Int)] { [] }
  /// What there is, whole or not; nil: nothing.
  func takeAll() -> (batch: Parcel, used: Int)? { nil }
}

final class Gatherer<M: BatchMeasure>: AnyGatherer, @unchecked Sendable {
  private let rule: Batched
  private let measure: M
  private var batch = GrowingBatch<M.Item>()
  /// Of each item that is there, and of those of whole batches, where it comes from.
  private var sources: [Int] = []

  init(_ rule: Batched, _ measure: M) {
    (self.rule, self.measure) = (rule, measure)
    super.init(rule.duration ?? .zero)
  }

  override var isEmpty: Bool { batch.items.isEmpty }

  override func take(_ parcel: Parcel) -> [(batch: Parcel, used: Int)] {
    guard case .values(let items, let offset) = parcel.content else { return [] }
    let buffer = unsafeDowncast(items, to: OutputBuffer<M.Item>.self)
    var whole: [(batch: Parcel, used: Int)] = []
    for place in 0..<parcel.count {
      sources.append(parcel.sources[place])
      for batch in batch.take(buffer[offset: offset + place], rule, measure) { whole.append(made(batch)) }
    }
    return whole
  }

  override func takeAll() -> (batch: Parcel, used: Int)? {
    let rest = batch.takeAll()
    return rest.isEmpty ? nil : made(rest)
  }

  private func made(_ batch: [M.Item]) -> (batch: Parcel, used: Int) {
    number += 1
    isTimed = false
    // As with a stage: it comes from the item that made it whole.
    let source = sources[batch.count - 1]
    sources.removeFirst(batch.count)
    let parcel = Parcel(content: .values(OutputBuffer([batch]), from: 0), count: 1, sources: Sources([source]))
    return (parcel, batch.count)
  }
}
