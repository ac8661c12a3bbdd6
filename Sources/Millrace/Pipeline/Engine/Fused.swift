import MillraceIPC

/// Several stages as one worker: an item goes through all of them, and then the next does.
///
/// So who is to blame is known to the item and to the stage, whatever happens: what throws says which it was, and where a
/// worker may die a word is left behind. Neighbours that are well in hand lose nothing. Where workers live and die with the program,
/// short items go in groups (`ItemGroup`): through one stage, and then the next.
package struct Stages<Input: Sendable, Item: Sendable>: Sendable {
  let parts: [StagePart]

  package struct State {
    fileprivate let head: Link<Input>
    fileprivate let links: [AnyLink]
    fileprivate let last: LastLink<Item>
    fileprivate let note: PartNote
    fileprivate let groups: GroupedRun<Input, Item>?
  }

  var needsFork: Bool { parts.contains(where: \.needsFork) }

  func setUp(_ context: WorkerContext) async throws -> State {
    let (last, note) = (LastLink<Item>(), PartNote(context))
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
    let head = unsafeDowncast(next, to: Link<Input>.self)
    let groups = note.isIdle ? GroupedRun(head, last, context.position) : nil
    return State(head: head, links: links, last: last, note: note, groups: groups)
  }

  func process(_ item: Input, _ state: State) async throws -> Puts<Item> {
    defer { state.note.leave() }
    do {
      try await state.head.feed(item)
    } catch {
      // An item has one outcome: what came of it before goes with it.
      _ = state.last.take()
      throw error
    }
    return state.last.take()
  }

  func tearDown(_ state: State) async throws {
    var problem: (any Error)?
    for link in state.links.reversed() {
      do { try await link.tearDown() } catch { problem = problem ?? error }
    }
    state.note.leave()
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

  package func setUp(_ context: WorkerContext) async throws -> Stages<Input, Item>.State {
    try await stages.setUp(context)
  }
  package func process(_ item: Input, state: inout Stages<Input, Item>.State) async throws -> Item {
    var found: Item?
    try await stages.process(item, state).forEach { found = .some($0) }
    return found!
  }
  package func tearDown(_ state: Stages<Input, Item>.State) async throws { try await stages.tearDown(state) }

  package func _run(
    _ run: inout _ItemRun<Input, Item>, _ state: inout Stages<Input, Item>.State
  ) async -> _RunEnd {
    if run.isPlain, let groups = state.groups { return await groups.run(&run) }
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

/// Stages of which some make none or several of one.
package struct FusedPuts<Input: Sendable, Item: Sendable>: Worker, Codable, PerhapsForked {
  let stages: Stages<Input, Item>
  var needsFork: Bool { TypeReference(Self.self) == nil || stages.needsFork }

  package func setUp(_ context: WorkerContext) async throws -> Stages<Input, Item>.State {
    try await stages.setUp(context)
  }
  package func process(_ item: Input, state: inout Stages<Input, Item>.State) async throws -> Puts<Item> {
    try await stages.process(item, state)
  }
  package func tearDown(_ state: Stages<Input, Item>.State) async throws { try await stages.tearDown(state) }
}
