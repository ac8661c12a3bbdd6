import MillraceIPC

/// A stage as a worker: what it puts for an item is that item's output, and what its tear-down puts is what it hands back.
package struct StageWorker<S: Stage>: Worker, Codable, PerhapsForked {
  let stage: S
  let name: String

  package final class State {
    fileprivate var own: S.State
    fileprivate let box: PutsBox<S.Output>
    fileprivate let outlet: Outlet<S.Output>
    /// What its set-up has put, which comes with its first item.
    fileprivate var early: Puts<S.Output>
    fileprivate var hasStopped = false

    fileprivate init(_ own: consuming S.State, _ box: PutsBox<S.Output>) {
      self.own = own
      self.box = box
      outlet = box.outlet
      early = box.take(closing: true)
      hasStopped = early.stops
    }

    fileprivate func takeEarly() -> Puts<S.Output> {
      defer { early = Puts() }
      return early
    }
  }

  var needsFork: Bool {
    TypeReference(Self.self) == nil || (try? TrialCarrier.passage.within { try encoded() }) == nil
  }

  package func setUp(_ context: WorkerContext) async throws -> State {
    let box = PutsBox<S.Output>()
    return State(try await stage.setUp(StageContext(name: name, instance: context.slot), box.outlet), box)
  }

  package func process(_ item: S.Input, state: inout State) async throws -> Puts<S.Output> {
    // It wants no more, though some was on its way. Whoever feeds it hears of that once.
    if state.hasStopped { return state.takeEarly() }
    state.box.open()
    do {
      try await stage.process(item, state: &state.own, state.outlet)
    } catch {
      // An item has one outcome: what was put of it goes with it. That the stage has stopped is said with the next.
      if state.box.take(closing: true).stops {
        state.hasStopped = true
        state.early.stops = true
      }
      throw error
    }
    var puts = state.takeEarly()
    puts.append(state.box.take(closing: true))
    if puts.stops { state.hasStopped = true }
    return puts
  }

  package func tearDown(_ state: State) async throws -> Puts<S.Output> {
    state.box.open()
    defer { _ = state.box.take(closing: true) }
    try await stage.tearDown(state.own, state.outlet)
    var puts = state.early
    puts.append(state.box.take(closing: true))
    return puts
  }

  // MARK: Its way to another process

  private func encoded() throws -> [UInt8] {
    var writer = ByteWriter()
    try Payload.coding(for: S.self, standIn: RemoteError.self).encode(stage, into: &writer)
    return [UInt8](writer.bytes)
  }

  init(_ stage: S, name: String) {
    self.stage = stage
    self.name = name
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    try container.encode(name)
    try container.encode(try encoded())
  }

  package init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    name = try container.decode(String.self)
    let bytes = try container.decode([UInt8].self)
    stage = try bytes.withUnsafeBytes {
      try Payload.coding(for: S.self, standIn: RemoteError.self).decode(from: $0)
    }
  }
}

/// Hands items on: the job of a source of which several read.
struct Forward<Item: Sendable>: StatelessWorker, ForkedOnly {
  func process(_ item: Item) -> Item { item }
}
