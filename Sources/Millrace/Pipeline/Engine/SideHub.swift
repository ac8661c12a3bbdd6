import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An item on its way from another process.
struct SideLetter: Codable, Sendable {
  let bytes: [UInt8]

  init<Item>(_ item: Item) throws {
    var writer = ByteWriter()
    do { try Payload.coding(for: Item.self, standIn: RemoteError.self).encode(item, into: &writer) } catch {
      throw error.forUsers
    }
    bytes = [UInt8](writer.bytes)
  }

  func open<Item>(_ type: Item.Type) throws -> Item {
    do {
      let coding = try Payload.coding(for: Item.self, standIn: RemoteError.self)
      return try bytes.withUnsafeBytes { try coding.decode(from: $0) }
    } catch {
      throw error.forUsers
    }
  }
}

/// A side channel as runs have it.
protocol SideUse: AnyObject, Sendable {
  /// A run begins to use it; the first begins it.
  ///
  /// - Parameters:
  ///   - isElsewhere: some of the run's stages are in other processes.
  ///   - onFailure: told if it fails.
  /// - Returns: the scope of its own pipeline's run.
  /// - Throws: what it has failed with. The run has to leave it in any case.
  func enter(isElsewhere: Bool, onFailure: @escaping @Sendable (any Error) -> Void) throws -> RunScope
  /// A run that used it is torn down; the last ends it, and waits until nothing of it is left. Throws what has ended it.
  func leave() async throws
}

/// The middle of a side channel: what was put and is not read, and the pipeline that reads it.
///
/// ```
///   first run enters ──▶ generation ◀── other runs enter and leave
///                            │ last run leaves
///                            ▼
///                         ending ── its mail is closed and empty, its items are read, its run is over ──▶ nothing
/// ```
///
/// Each generation has its own mail, items and run, so nothing of one gets into another. A run that enters while one is ending begins the
/// next, whose pipeline begins when that is over: what a channel writes to is not written to twice at once.
final class SideHub<Item: Sendable>: SideUse {
  private struct State {
    /// The runs that use the generation.
    var users = 0
    var generation: Generation?
    var ending: Generation?
  }
  /// All that is of a channel from the first run that uses it to the last.
  private final class Generation: Sendable {
    struct Parts {
      var run: PipelineRun?
      /// Where the run is yet to begin.
      var begins: Task<Void, Never>?
      var mail: Mail?
      var carrier: Task<Void, Never>?
      var listeners: [@Sendable (any Error) -> Void] = []
      var error: (any Error)?
    }
    let items: SideItems<Item>
    let inside = RunScope()
    let parts = Lock(Parts())
    /// Nothing of it is left.
    let end = RunEnd()

    init(capacity: Int) { items = SideItems(capacity: capacity) }
  }
  private final class Mail: Sendable {
    let queue: SharedQueue<SideLetter>
    init(_ queue: SharedQueue<SideLetter>) { self.queue = queue }
  }
  private let name: String
  private let capacity: Int
  private let begin: @Sendable (SideItems<Item>, RunScope) throws -> PipelineRun
  private let state = Lock(State())
  /// The generation's mail, for forks of this process.
  private let posted = ForkedReference<Mail>()
  private let home = getpid()

  init(
    _ name: String, capacity: Int, _ begin: @escaping @Sendable (SideItems<Item>, RunScope) throws -> PipelineRun
  ) {
    self.name = name
    self.capacity = capacity
    self.begin = begin
  }

  /// Whether this is the process in which it was made, and not a fork of that.
  var isHere: Bool { getpid() == home }
  /// How items come here from other processes.
  var mail: SharedQueue<SideLetter>? {
    let mail = isHere ? state.withLock { $0.generation }?.parts.withLock { $0.mail } : posted.inFork
    return mail?.queue
  }

  static func unused(_ name: String) -> PipelineError {
    PipelineError(
      .sideChannelUnused, ItemFailure.Stage(name: name, position: 0),
      "no run uses it: a pipeline whose stages put into it says so with 'using'")
  }

  func put(_ item: Item) async throws {
    guard let items = state.withLock({ $0.generation?.items }) else { throw Self.unused(name) }
    try await items.put(item)
  }

  // MARK: Runs

  func enter(isElsewhere: Bool, onFailure: @escaping @Sendable (any Error) -> Void) throws -> RunScope {
    let (generation, before, isFirst) = state.withLock { state -> (Generation, Generation?, Bool) in
      state.users += 1
      if let generation = state.generation { return (generation, nil, false) }
      let generation = Generation(capacity: capacity)
      state.generation = generation
      return (generation, state.ending, true)
    }
    let error = generation.parts.withLock { parts in
      parts.listeners.append(onFailure)
      return parts.error
    }
    if let error { throw error }
    if isFirst { try start(generation, after: before) }
    if isElsewhere { try openMail(of: generation) }
    return generation.inside
  }

  /// Begins its pipeline, when the generation before is over: at once, if that waits for whoever asks for it.
  private func start(_ generation: Generation, after before: Generation?) throws {
    guard let before, before.end.result == nil, !RunScope.contains(before.inside) else { return try run(generation) }
    let begins = Task(executorPreference: LaneThread.ofFork) { [self] in
      await before.end.wait()
      // Who uses it is told.
      try? run(generation)
    }
    generation.parts.withLock { $0.begins = begins }
  }

  private func run(_ generation: Generation) throws {
    let run: PipelineRun
    do { run = try begin(generation.items, generation.inside) } catch {
      fail(generation, error)
      throw failure(error)
    }
    generation.parts.withLock { $0.run = run }
    Task(executorPreference: LaneThread.ofFork) { [self] in
      do { try await run.finish() } catch { return fail(generation, error) }
      generation.items.end()
    }
  }

  private func fail(_ generation: Generation, _ error: any Error) {
    let error = failure(error)
    let listeners = generation.parts.withLock { parts in
      parts.error = parts.error ?? error
      return parts.listeners
    }
    // First: an item whose put throws this is not what has failed.
    for listener in listeners { listener(error) }
    generation.items.close(error)
  }

  /// What its pipeline ended with, as those who use it are told.
  private func failure(_ error: any Error) -> any Error {
    if let known = error as? PipelineError, known.kind == .sideChannelFailed, known.stage.name == name { return known }
    return PipelineError(
      .sideChannelFailed, ItemFailure.Stage(name: name, position: 0), PipelineError.Kind.sideChannelFailed.words,
      underlying: error)
  }

  /// What other processes put comes by a queue in shared memory, which a thread of its own empties.
  private func openMail(of generation: Generation) throws {
    // Items that cannot travel are refused where one is put elsewhere.
    guard (try? Payload.coding(for: Item.self, standIn: RemoteError.self)) != nil else { return }
    guard generation.parts.withLock({ $0.mail == nil }) else { return }
    let mail = Mail(try SharedQueue(capacity: capacity, bytes: 1 << 20))
    let thread = LaneThread()
    do { try startThread("millrace-side") { thread.run() } } catch {
      throw WorkerPoolError(
        .cannotStart, "the side channel \(name) has no thread to run in", underlying: error.forUsers)
    }
    // Of several runs that come at once one's is the generation's.
    let isIts = generation.parts.withLock { parts in
      guard parts.mail == nil else { return false }
      parts.mail = mail
      posted.set(mail)
      return true
    }
    guard isIts else { return thread.end() }
    let carrier = Task(executorPreference: thread) { [self] in
      await carry(mail.queue, into: generation)
      thread.end()
    }
    // It is there before the run that has opened it leaves.
    generation.parts.withLock { $0.carrier = carrier }
  }

  /// Until it is closed and empty. When the pipeline has failed it is emptied all the same: nobody waits for room for ever.
  private func carry(_ queue: SharedQueue<SideLetter>, into generation: Generation) async {
    do {
      while let letter = try queue.pop() {
        let item: Item
        do { item = try letter.open(Item.self) } catch {
          fail(generation, error)
          continue
        }
        // Who uses it has been told why it takes no more.
        try? await generation.items.put(item)
      }
    } catch {
      queue.close()
      fail(generation, error)
    }
  }

  func leave() async throws {
    let last = state.withLock { state -> Generation? in
      state.users -= 1
      guard state.users == 0 else { return nil }
      posted.set(nil)
      defer { (state.generation, state.ending) = (nil, state.generation) }
      return state.generation
    }
    guard let last else { return }
    let error = await end(last)
    state.withLock { if $0.ending === last { $0.ending = nil } }
    last.end.set(.success(())) {}
    if let error { throw error }
  }

  /// Nobody uses it any more: waits until nothing of it is left. What has ended it.
  private func end(_ generation: Generation) async -> (any Error)? {
    let parts = generation.parts.withLock { $0 }
    await parts.begins?.value
    // All that was put is in it: whoever put it is torn down.
    parts.mail?.queue.close()
    await parts.carrier?.value
    generation.items.close(nil)
    let run = generation.parts.withLock { $0.run }
    do { try await run?.finish() } catch { return failure(error) }
    return generation.parts.withLock { $0.error }
  }
}

/// What was put into a side channel and is not read: a source that waits for it.
final class SideItems<Item: Sendable>: Sendable {
  private struct State {
    var items = FIFO<Item>()
    var isClosed = false
    /// Nobody reads them any more: what is put is dropped.
    var hasNoReader = false
    var error: (any Error)?
    var reader: UnsafeContinuation<Void, Never>?
    var writers: [UnsafeContinuation<Void, Never>] = []
  }
  private let capacity: Int
  private let state = Lock(State())

  init(capacity: Int) { self.capacity = capacity }

  func put(_ item: Item) async throws {
    while true {
      let (isDone, reader) = try state.withLock { state in
        if state.isClosed { throw state.error ?? CancellationError() }
        if state.hasNoReader { return (true, nil as UnsafeContinuation<Void, Never>?) }
        guard state.items.count < capacity else { return (false, nil as UnsafeContinuation<Void, Never>?) }
        state.items.append(item)
        defer { state.reader = nil }
        return (true, state.reader)
      }
      reader?.resume()
      if isDone { return }
      try Task.checkCancellation()
      await waitForRoom()
    }
  }

  /// Waits until something has been read, or is read no more, or the task is cancelled.
  private func waitForRoom() async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let mustWait = state.withLock { state in
          if state.isClosed || state.hasNoReader || state.items.count < capacity || Task.isCancelled { return false }
          state.writers.append(continuation)
          return true
        }
        if !mustWait { continuation.resume() }
      }
    } onCancel: {
      wake()
    }
  }

  /// Whoever waits looks again.
  private func wake() {
    let (reader, writers) = state.withLock { state in
      defer { (state.reader, state.writers) = (nil, []) }
      return (state.reader, state.writers)
    }
    reader?.resume()
    for writer in writers { writer.resume() }
  }

  /// The next item, when there is one; nil at the end, and when nobody wants more.
  func next() async -> Item? {
    while true {
      let (item, isOver, writers) = state.withLock { state in
        defer { state.writers = [] }
        return (state.items.popFirst(), state.isClosed, state.writers)
      }
      for writer in writers { writer.resume() }
      if let item { return item }
      if isOver || Task.isCancelled { return nil }
      await withTaskCancellationHandler {
        await withUnsafeContinuation { continuation in
          let mustWait = state.withLock { state in
            if state.isClosed || state.items.count > 0 || Task.isCancelled { return false }
            state.reader = continuation
            return true
          }
          if !mustWait { continuation.resume() }
        }
      } onCancel: {
        wake()
      }
    }
  }

  /// They are read no more: what is there, and what comes, is dropped.
  func end() {
    let dropped = state.withLock { state in
      state.hasNoReader = true
      defer { state.items = FIFO() }
      return state.items
    }
    wake()
    withExtendedLifetime(dropped) {}
  }

  func close(_ error: (any Error)?) {
    state.withLock { state in
      state.isClosed = true
      state.error = state.error ?? error
    }
    wake()
  }
}

/// Reads them, as the input of the channel's own pipeline.
struct SideSource<Item: Sendable>: Source {
  let items: SideItems<Item>

  func produce(_ out: Outlet<Item>) async throws {
    // Its pipeline may want no more long before the runs that put into it are over.
    defer { items.end() }
    while let item = await items.next() { try await out.put(item) }
  }
}
