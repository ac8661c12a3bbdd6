import MillraceIPC
import Synchronization

/// A stage of a fused station: its type is known at run time only, and at both its ends to those of its neighbours.
package class StagePart: @unchecked Sendable {
  // Sound: subclasses hold what is `Sendable`, and never change.

  /// Whether it can only run in a fork of this very process.
  var needsFork: Bool { true }
  /// What another process makes it of: its type and its configuration.
  func reference() throws -> [[UInt8]] { preconditionFailure("it stays here") }
  /// An instance that hands what it makes to the next one.
  func makeLink(_ part: Int, _ next: AnyLink, _ note: PartNote) -> AnyLink { preconditionFailure("abstract") }

  /// The stage in a process that was sent a reference.
  static func make(of reference: [[UInt8]]) throws -> StagePart {
    // Of a worker on items with meta the worker's own, and what it is called: it may be private, and nothing generic over it has a name.
    if reference.count == 3, let type = TypeReference(bytes: reference[0]).resolve() as? any Worker.Type {
      return try tagged(type, reference[1], Tagging(bytes: reference[2]))
    }
    if reference.count == 1, let type = TypeReference(bytes: reference[0]).resolve() as? any PlainElasticStage.Type {
      return elastic(type)
    }
    guard reference.count == 2, let type = TypeReference(bytes: reference[0]).resolve() as? any Worker.Type else {
      throw WorkerPoolError(.notTransportable, "a stage of the pipeline is not known in the worker process")
    }
    return try make(type, reference[1])
  }

  private static func tagged<W: Worker>(_ type: W.Type, _ configuration: [UInt8], _ tagging: Tagging) throws
    -> StagePart
  {
    let worker = try configuration.withUnsafeBytes { try decodedWorker(type, $0) }
    return WorkerPart(TaggedWorker(worker: worker, tagging: tagging))
  }

  private static func elastic<S: PlainElasticStage>(_ type: S.Type) -> StagePart { ElasticPart(S()) }

  private static func make<W: Worker>(_ type: W.Type, _ configuration: [UInt8]) throws -> StagePart {
    WorkerPart(try configuration.withUnsafeBytes { try decodedWorker(type, $0) })
  }
}

final class WorkerPart<W: Worker>: StagePart, @unchecked Sendable {
  private let worker: W

  init(_ worker: W) { self.worker = worker }

  override var needsFork: Bool {
    if let tagged = worker as? any AnyTaggedWorker { return tagged.needsFork }
    return worker is any ForkedOnly || TypeReference(W.self) == nil
      || (try? TrialCarrier.passage.within { try encodedWorker(worker) }) == nil
  }

  override func reference() throws -> [[UInt8]] {
    if let tagged = worker as? any AnyTaggedWorker { return try tagged.reference() }
    guard let type = TypeReference(W.self) else {
      throw WorkerPoolError(.notTransportable, "\(workerName(W.self)) cannot be found by a worker process")
    }
    return [type.bytes, try encodedWorker(worker)]
  }

  override func makeLink(_ part: Int, _ next: AnyLink, _ note: PartNote) -> AnyLink {
    WorkerLink(worker, part, unsafeDowncast(next, to: Link<W.Output>.self), note)
  }
}

/// A filter or a flat map.
final class ElasticPart<S: ElasticStage>: StagePart, @unchecked Sendable {
  private let stage: S

  init(_ stage: S) { self.stage = stage }

  // Others hold a closure.
  override var needsFork: Bool { !(S.self is any PlainElasticStage.Type) || TypeReference(S.self) == nil }

  override func reference() throws -> [[UInt8]] {
    guard let type = TypeReference(S.self), !needsFork else {
      throw WorkerPoolError(.notTransportable, "\(S.self) cannot be found by a worker process")
    }
    return [type.bytes]
  }

  override func makeLink(_ part: Int, _ next: AnyLink, _ note: PartNote) -> AnyLink {
    ElasticLink(stage, part, unsafeDowncast(next, to: Link<S.Output>.self), note)
  }
}

/// Where an item is, for those who find the worker dead.
final class PartNote {
  private let word: UnsafePointer<Atomic<UInt64>>?
  /// The progress of a group's items, as the item at hand has it.
  let ahead: UnsafePointer<Atomic<UInt64>>
  /// Keeps the words.
  let position: ItemPosition

  init(_ context: WorkerContext) {
    position = context.position
    word = position.part
    ahead = position.ahead
  }

  /// Whether it dies with the program, so nobody asks.
  var isIdle: Bool { word == nil }

  func enter(_ part: Int) { word?.pointee.store(UInt64(part) &+ 1, ordering: .relaxed) }
  func leave() { word?.pointee.store(0, ordering: .relaxed) }
}

package class AnyLink: @unchecked Sendable {
  // Sound: all links of a station belong to one slot, where one item runs at a time.
  func setUp(_ context: WorkerContext) async throws {}
  func tearDown() async throws {}
}

/// A stage's instance, which takes items.
class Link<Item>: AnyLink, @unchecked Sendable {
  func feed(_ item: Item) async throws { preconditionFailure("abstract") }

  /// Takes those of a group's items that are well, and hands on what it makes of them.
  ///
  /// - Parameter owned: they are its own from here on.
  func take(_ items: UnsafeMutablePointer<Item>, owned: Bool, _ group: ItemGroup) async {
    preconditionFailure("abstract")
  }
}

private final class WorkerLink<W: Worker>: Link<W.Input>, @unchecked Sendable {
  private let worker: W
  private let part: Int
  private let next: Link<W.Output>
  private let note: PartNote
  private var state: W.State?
  /// What it makes of a group's items.
  private lazy var outputs = UnsafeMutablePointer<W.Output>.allocate(capacity: ItemGroup.most)
  private var hasOutputs = false

  init(_ worker: W, _ part: Int, _ next: Link<W.Output>, _ note: PartNote) {
    (self.worker, self.part, self.next, self.note) = (worker, part, next, note)
  }

  deinit { if hasOutputs { outputs.deallocate() } }

  override func setUp(_ context: WorkerContext) async throws {
    note.enter(part)
    do { state = try await worker.setUp(context) } catch { throw StageFault(part: part, error: error) }
  }

  override func tearDown() async throws {
    guard let state else { return }
    self.state = nil
    note.enter(part)
    do { _ = try await worker.tearDown(state) } catch { throw StageFault(part: part, error: error) }
  }

  override func feed(_ item: W.Input) async throws {
    note.enter(part)
    let output: W.Output
    do { output = try await worker.process(item, state: &state!) } catch { throw StageFault(part: part, error: error) }
    try await next.feed(output)
  }

  override func take(_ items: UnsafeMutablePointer<W.Input>, owned: Bool, _ group: ItemGroup) async {
    hasOutputs = true
    // Which item is at hand stands in a list, where they are not in their own places.
    let tag = group.isWhole ? 0 : ItemPosition.listed
    if !group.isWhole { note.position.list(group.places, count: group.width) }
    for well in group.runs {
      var begin = well.lowerBound
      while begin < well.upperBound {
        note.ahead.pointee.store(tag | UInt64(begin), ordering: .relaxed)
        // The worker's own loop: it is compiled with its type.
        var run = _ItemRun(
          inputs: UnsafePointer(items), outputs: outputs, range: begin..<well.upperBound, progress: note.ahead,
          tag: tag, startTime: nil)
        switch await worker._run(&run, &state!) {
        case .finished: begin = well.upperBound
        case .threw(let error):
          group.fail(run.next, StageFault(part: part, error: error))
          begin = run.next + 1
        case .abandoned: preconditionFailure("nobody gives a stage's own run up")
        }
      }
      if owned { (items + well.lowerBound).deinitialize(count: well.count) }
    }
    await next.take(outputs, owned: true, group)
  }
}

private final class ElasticLink<S: ElasticStage>: Link<S.Input>, @unchecked Sendable {
  private let stage: S
  private let part: Int
  private let next: Link<S.Output>
  private let note: PartNote
  /// What it makes, in memory that is kept: of one item, or of a group's.
  @exclusivity(unchecked) private var run: _PutsRun<S.Input, S.Output>
  /// The item at hand, if it comes alone.
  private let single = UnsafeMutablePointer<S.Input>.allocate(capacity: 1)
  private let first = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  init(_ stage: S, _ part: Int, _ next: Link<S.Output>, _ note: PartNote) {
    (self.stage, self.part, self.next, self.note) = (stage, part, next, note)
    first.initialize(to: 0)
    run = _PutsRun(inputs: single, places: first, capacity: Self.usual, progress: note.ahead)
  }

  deinit {
    freeRoom()
    single.deallocate()
    first.deallocate()
  }

  /// More is not kept for the next ones.
  private static var usual: Int { 2 * ItemGroup.most }

  private func freeRoom() {
    run.outputs.deallocate()
    run.origins.deallocate()
  }

  /// What was made before has gone on.
  private func begin(_ items: UnsafePointer<S.Input>, _ places: UnsafePointer<Int32>) {
    if run.capacity > Self.usual {
      freeRoom()
      run = _PutsRun(inputs: items, places: places, capacity: Self.usual, progress: note.ahead)
    }
    (run.inputs, run.places, run.count) = (items, places, 0)
  }

  override func feed(_ item: S.Input) async throws {
    note.enter(part)
    single.initialize(to: item)
    begin(single, first)
    (run.next, run.end) = (0, 1)
    let end = await stage.run(&run)
    single.deinitialize(count: 1)
    if case .threw(let error) = end {
      run.dropCurrent()
      throw StageFault(part: part, error: error)
    }
    var fed = 0
    // One that fails further on has one outcome: what is left of it goes with it.
    defer { (run.outputs + fed).deinitialize(count: run.count - fed) }
    while fed < run.count {
      let output = (run.outputs + fed).move()
      fed += 1
      try await next.feed(output)
    }
  }

  override func take(_ items: UnsafeMutablePointer<S.Input>, owned: Bool, _ group: ItemGroup) async {
    begin(items, group.places)
    for well in group.runs {
      run.next = well.lowerBound
      run.end = well.upperBound
      while run.next < run.end, case .threw(let error) = await stage.run(&run) {
        run.dropCurrent()
        group.fail(run.next, StageFault(part: part, error: error))
        run.next += 1
      }
      if owned { (items + well.lowerBound).deinitialize(count: well.count) }
    }
    group.become(run.count, run.origins)
    if run.count > 0 { await next.take(run.outputs, owned: true, group) }
  }
}

/// Behind the last stage.
final class LastLink<Item: Sendable>: Link<Item>, GroupEnd, @unchecked Sendable {
  private var puts = Puts<Item>()
  /// Where what comes of a group is to lie, if all of it is well.
  private var target: UnsafeMutablePointer<Item>?
  /// What came of a group of which an item has failed, in the places of its items.
  private var kept: UnsafeMutablePointer<Item>?
  private var runs: [Range<Int>] = []

  deinit {
    drop()
    kept?.deallocate()
  }

  func begin(at target: UnsafeMutablePointer<Item>) { self.target = target }

  override func take(_ items: UnsafeMutablePointer<Item>, owned: Bool, _ group: ItemGroup) async {
    if group.faults.isEmpty { return target!.moveInitialize(from: items, count: group.count) }
    let kept = kept ?? .allocate(capacity: ItemGroup.most)
    self.kept = kept
    runs = group.runs
    for well in runs { (kept + well.lowerBound).moveInitialize(from: items + well.lowerBound, count: well.count) }
  }

  /// It lies there.
  func handAll(_ count: Int, to place: UnsafeMutablePointer<Item>) {}

  func hand(_ items: Range<Int>, to place: UnsafeMutablePointer<Item>) {
    guard !items.isEmpty, let kept else { return }
    precondition(runs.first == items, "a group's outputs are handed over in their order")
    place.moveInitialize(from: kept + items.lowerBound, count: items.count)
    runs.removeFirst()
  }

  func drop() {
    for well in runs { (kept! + well.lowerBound).deinitialize(count: well.count) }
    runs = []
  }

  override func feed(_ item: Item) async throws { puts.append(item) }

  func take() -> Puts<Item> {
    defer { puts = Puts() }
    return puts
  }
}
