import MillraceIPC

/// Several stages as one worker: an item goes through all of them, and then the next does.
///
/// So who is to blame is known to the item and to the stage, whatever happens: what throws says which it was, and where a
/// worker may die a word is left behind. Neighbours that are well in hand lose nothing. Where workers live and die with the program,
/// short items go in groups (`ItemGroup`): through one stage, and then the next.
package struct Stages<Input: Sendable, Item: Sendable>: Sendable {
  let parts: [StagePart]

  struct Chain {
    fileprivate let head: Link<Input>
    fileprivate let links: [AnyLink]
    fileprivate let note: PartNote

    /// Takes items through it in groups, where that may be.
    fileprivate func groups<End: GroupEnd>(_ last: End, _ context: WorkerContext) -> GroupedRun<Input, End>? {
      note.isIdle ? GroupedRun(head, last, context.position) : nil
    }
  }

  var needsFork: Bool { parts.contains(where: \.needsFork) }

  func setUp(_ context: WorkerContext, before last: Link<Item>) async throws -> Chain {
    let note = PartNote(context)
    var links: [AnyLink] = []
    var next: AnyLink = last
    for (part, stage) in parts.enumerated().reversed() {
      next = stage.makeLink(part, next, note)
      links.insert(next, at: 0)
    }
    defer { note.leave() }
    for (place, link) in links.enumerated() {
      do {
        try await link.setUp(context)
      } catch {
        // What was opened is closed; what went wrong first is said.
        for open in links[..<place].reversed() { try? await open.tearDown() }
        throw error
      }
    }
    return Chain(head: unsafeDowncast(next, to: Link<Input>.self), links: links, note: note)
  }

  /// Takes an item through it. An item has one outcome: where it fails, what came of it before goes with it.
  func process<Output>(_ item: Input, _ chain: Chain, _ take: () -> Output) async throws -> Output {
    defer { chain.note.leave() }
    do {
      try await chain.head.feed(item)
    } catch {
      _ = take()
      throw error
    }
    return take()
  }

  func tearDown(_ chain: Chain) async throws {
    var problem: (any Error)?
    for link in chain.links.reversed() {
      do { try await link.tearDown() } catch { problem = problem ?? error }
    }
    chain.note.leave()
    if let problem { throw problem }
  }
}

extension Stages: Codable {
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    for part in parts { try container.encode(try part.reference()) }
  }

  package init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    var parts: [StagePart] = []
    while !container.isAtEnd { parts.append(try StagePart.make(of: try container.decode([[UInt8]].self))) }
    self.parts = parts
  }
}

/// A worker that may have to be in a fork of this very process, for it holds a closure.
protocol PerhapsForked { var needsFork: Bool { get } }

/// Stages of which each makes one of one.
package struct Fused<Input: Sendable, Item: Sendable>: Worker, Codable, PerhapsForked {
  let stages: Stages<Input, Item>
  var needsFork: Bool { TypeReference(Self.self) == nil || stages.needsFork }

  package struct State {
    fileprivate let chain: Stages<Input, Item>.Chain
    fileprivate let last: LastLink<Item>
    fileprivate let groups: GroupedRun<Input, LastLink<Item>>?
  }

  package func setUp(_ context: WorkerContext) async throws -> State {
    let last = LastLink<Item>()
    let chain = try await stages.setUp(context, before: last)
    return State(chain: chain, last: last, groups: chain.groups(last, context))
  }
  package func process(_ item: Input, state: inout State) async throws -> Item {
    var found: Item?
    try await stages.process(item, state.chain, state.last.take).forEach { found = .some($0) }
    return found!
  }
  package func tearDown(_ state: State) async throws { try await stages.tearDown(state.chain) }

  package func _run(_ run: inout _ItemRun<Input, Item>, _ state: inout State) async -> _RunEnd {
    if run.isPlain, let groups = state.groups { return await groups.run(&run) }
    return await oneByOne(&run, &state)
  }
}

/// Stages of which some make none or several of one, where workers may be processes.
package struct FusedPuts<Input: Sendable, Item: Sendable>: Worker, Codable, PerhapsForked {
  let stages: Stages<Input, Item>
  var needsFork: Bool { TypeReference(Self.self) == nil || stages.needsFork }

  package struct State {
    fileprivate let chain: Stages<Input, Item>.Chain
    fileprivate let last: LastLink<Item>
  }

  package func setUp(_ context: WorkerContext) async throws -> State {
    let last = LastLink<Item>()
    return State(chain: try await stages.setUp(context, before: last), last: last)
  }
  package func process(_ item: Input, state: inout State) async throws -> Puts<Item> {
    try await stages.process(item, state.chain, state.last.take)
  }
  package func tearDown(_ state: State) async throws { try await stages.tearDown(state.chain) }
}

/// The same where workers live and die with the program.
struct FusedPortions<Input: Sendable, Item: Sendable>: Worker {
  let stages: Stages<Input, Item>

  struct State {
    fileprivate let chain: Stages<Input, Item>.Chain
    fileprivate let last: PortionLink<Item>
    fileprivate let groups: GroupedRun<Input, PortionLink<Item>>?
  }

  func setUp(_ context: WorkerContext) async throws -> State {
    let last = PortionLink<Item>()
    let chain = try await stages.setUp(context, before: last)
    return State(chain: chain, last: last, groups: chain.groups(last, context))
  }
  func process(_ item: Input, state: inout State) async throws -> Portion {
    try await stages.process(item, state.chain, state.last.take)
  }
  func tearDown(_ state: State) async throws { try await stages.tearDown(state.chain) }

  func _run(_ run: inout _ItemRun<Input, Portion>, _ state: inout State) async -> _RunEnd {
    if run.isPlain, let groups = state.groups { return await groups.run(&run) }
    return await oneByOne(&run, &state)
  }
}

extension Worker {
  /// As a worker does whose loop is the protocol's own.
  fileprivate func oneByOne(_ run: inout _ItemRun<Input, Output>, _ state: inout State) async -> _RunEnd {
    while run._begin() {
      do {
        let output = try await process(run._item, state: &state)
        guard run._finish(output) else { return .abandoned }
      } catch {
        return .threw(error)
      }
    }
    return .finished
  }
}
