/// What collects items by time too: it needs no slot, for nothing runs there. The engine does it, between two stations.
package protocol AnyGathering: CheckedStage, Sendable {
  func makeGatherer() -> AnyGatherer
  /// How many items a batch has at the most; nil: any number.
  var mostTogether: Int? { get }
  /// The same for items with meta.
  var tagged: any AnyGathering { get }
}

struct Gathering<M: BatchMeasure>: AnyGathering {
  let rule: Batched
  let measure: M

  package func check() throws { try rule.check(measure) }
  package var mostTogether: Int? { rule.size }
  package func makeGatherer() -> AnyGatherer { Gatherer(rule, measure) { OutputBuffer([$0]) } }
  package var tagged: any AnyGathering { TaggedGathering(rule: rule, measure: measure) }
}

/// Of items with meta: a batch has that of each of its items.
struct TaggedGathering<M: BatchMeasure>: AnyGathering {
  let rule: Batched
  let measure: M

  package func check() throws { try rule.check(measure) }
  package var mostTogether: Int? { rule.size }
  package var tagged: any AnyGathering { self }

  package func makeGatherer() -> AnyGatherer {
    Gatherer(rule, TaggedMeasure(measure: measure)) { batch in
      OutputBuffer([Tagged(item: batch.map(\.item), meta: Meta(parts: batch.map(\.meta)))])
    }
  }
}

private struct TaggedMeasure<M: BatchMeasure>: BatchMeasure {
  static var isAble: Bool { M.isAble }
  let measure: M
  func bytes(of item: Tagged<M.Item>) -> Int { measure.bytes(of: item.item) }
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
  /// The one item that a batch is.
  private let collect: @Sendable ([M.Item]) -> OutputStore
  private var batch = GrowingBatch<M.Item>()
  /// Of each item that is there, and of those of whole batches, where it comes from.
  private var sources: [Int] = []

  init(_ rule: Batched, _ measure: M, _ collect: @escaping @Sendable ([M.Item]) -> OutputStore) {
    (self.rule, self.measure, self.collect) = (rule, measure, collect)
    super.init((rule.duration ?? .zero).boundedForClocks)
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
    // A batch has the name of its first item.
    let source = sources[0]
    sources.removeFirst(batch.count)
    let parcel = Parcel(content: .values(collect(batch), from: 0), count: 1, sources: Sources([source]))
    return (parcel, batch.count)
  }
}
