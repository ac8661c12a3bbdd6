import MillraceIPC
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An item on its way from another process.
struct SideLetter: Codable, Sendable {
  let bytes: [UInt8]
  /// The last of a run.
  var isEnd = false

  /// There are no more.
  static var end: SideLetter { SideLetter(bytes: [], isEnd: true) }

  private init(bytes: [UInt8], isEnd: Bool) {
    self.bytes = bytes
    self.isEnd = isEnd
  }

  init<Item>(_ item: Item) throws {
    var writer = ByteWriter()
    do { try Payload.coding(for: Item.self, standIn: RemoteError.self).encode(item, into: &writer) } catch {
      throw error.forUsers
    }
    bytes = [UInt8](writer.bytes)
  }

  func open<Item>(_ type: Item.Type) throws -> Item {
    let coding = try Payload.coding(for: Item.self, standIn: RemoteError.self)
    return try bytes.withUnsafeBytes { try coding.decode(from: $0) }
  }
}

/// A side channel as runs have it.
protocol SideUse: AnyObject, Sendable {
  /// A run begins to use it; the first begins it.
  ///
  /// - Parameters:
  ///   - isElsewhere: some of the run's stages are in other processes.
  ///   - onFailure: told if it fails.
  func enter(isElsewhere: Bool, onFailure: @escaping @Sendable (any Error) -> Void) throws
  /// A run that used it is torn down; the last ends it, and waits until nothing of it is left. Throws what has ended it.
  func leave() async throws
  /// That of its own pipeline's run, if there is one.
  var inside: RunScope? { get }
}

/// The middle of a side channel: what was put and is not read, and the pipeline that reads it.
final class SideHub<Item: Sendable>: SideUse {
  private struct State {
    var users = 0
    var run: PipelineRun?
    var items: SideItems<Item>?
    var carrier: Task<Void, Never>?
    var listeners: [@Sendable (any Error) -> Void] = []
  }
  private final class Mail: Sendable {
    let queue: SharedQueue<SideLetter>
    init(_ queue: SharedQueue<SideLetter>) { self.queue = queue }
  }
  private let name: String
  private let capacity: Int
  private let begin: @Sendable (SideItems<Item>) throws -> PipelineRun
  private let state = Lock(State())
  /// Apart from the lock, which somebody else may have had when this process was forked.
  private let made = AtomicLazyReference<Mail>()
  private let home = getpid()

  init(_ name: String, capacity: Int, _ begin: @escaping @Sendable (SideItems<Item>) throws -> PipelineRun) {
    self.name = name
    self.capacity = capacity
    self.begin = begin
  }

  /// Whether this is the process in which it was made, and not a fork of that.
  var isHere: Bool { getpid() == home }
  /// How items come here from other processes.
  var mail: SharedQueue<SideLetter>? { made.load()?.queue }

  static func unused(_ name: String) -> PipelineError {
    PipelineError(
      .sideChannelUnused, ItemFailure.Stage(name: name, position: 0),
      "no run uses the side channel: a pipeline whose stages put into it says so with 'using'")
  }

  func put(_ item: Item) async throws {
    guard let items = state.withLock({ $0.items }) else { throw Self.unused(name) }
    try await items.put(item)
  }

  var inside: RunScope? { state.withLock { $0.run }?.inside }

  // MARK: Runs

  func enter(isElsewhere: Bool, onFailure: @escaping @Sendable (any Error) -> Void) throws {
    let isFirst = state.withLock { state in
      state.users += 1
      state.listeners.append(onFailure)
      return state.users == 1
    }
    if isFirst {
      let items = SideItems<Item>(capacity: capacity)
      state.withLock { $0.items = items }
      let run = try begin(items)
      state.withLock { $0.run = run }
      Task(executorPreference: LaneThread.ofFork) { [self] in
        do { try await run.finish() } catch { return failed(error, items) }
        items.end()
      }
    }
    if isElsewhere { try openMail() }
  }

  private func failed(_ error: any Error, _ items: SideItems<Item>) {
    let listeners = state.withLock { $0.listeners }
    items.close(error)
    for listener in listeners { listener(error) }
  }

  /// What other processes put comes by a queue in shared memory, which a thread of its own empties.
  private func openMail() throws {
    // Items that cannot travel are refused where one is put elsewhere.
    guard (try? Payload.coding(for: Item.self, standIn: RemoteError.self)) != nil else { return }
    guard let items = state.withLock({ $0.carrier == nil ? $0.items : nil }) else { return }
    let queue = try mail ?? made.storeIfNil(Mail(SharedQueue(capacity: capacity, bytes: 1 << 20))).queue
    let thread = LaneThread()
    do { try startThread("millrace-side") { thread.run() } } catch {
      throw WorkerPoolError(
        .cannotStart, "the side channel \(name) has no thread to run in", underlying: error.forUsers)
    }
    let carrier = Task(executorPreference: thread) {
      // When its pipeline has failed it is emptied all the same: nobody waits for room for ever.
      while let letter = try? queue.pop(), !letter.isEnd {
        guard let item = try? letter.open(Item.self) else { continue }
        try? await items.put(item)
      }
      thread.end()
    }
    state.withLock { $0.carrier = carrier }
  }

  func leave() async throws {
    let last: State? = state.withLock { state in
      state.users -= 1
      guard state.users == 0 else { return nil }
      defer { state = State() }
      return state
    }
    guard let last else { return }
    // Behind all that was put: whoever put it is torn down.
    if let carrier = last.carrier, let mail {
      // It waits for room: not in a thread that others need.
      let end: @Sendable () -> Void = { _ = try? mail.push(.end) }
      do { try await BlockingThread("millrace-side").run(end) } catch { end() }
      await carrier.value
    }
    last.items?.close(nil)
    try await last.run?.finish()
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
