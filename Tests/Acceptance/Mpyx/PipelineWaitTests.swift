import Millrace
import MillraceIPC
import MillraceTesting
import Synchronization
import TestSupport
import Testing

/// Puts every other item into a side channel.
private struct Tells: StatelessWorker, Codable {
  var channel: SideChannel<Int>

  func process(_ item: Int) async throws -> Int {
    if item % 2 == 0 { try await channel.put(item) }
    return item
  }
}

/// Puts items into a side channel, and says that it does.
private struct TellsOften: StatelessWorker, Codable {
  var channel: SideChannel<Int>
  var seen: LineLedger

  func process(_ item: Int) async throws -> Int {
    seen.note("begins")
    do {
      for number in 0..<1_000 { try await channel.put(number) }
    } catch {
      seen.note("ends: \(error is CancellationError)")
      throw error
    }
    return item
  }
}

/// The run in which an item is, once it is known.
private final class Handle: Sendable {
  private let run = Mutex<PipelineRun?>(nil)

  func set(_ run: PipelineRun) { self.run.withLock { $0 = run } }

  /// What the run refuses when it is asked by code of its own.
  func refusals() async -> [WorkerPoolError.Kind] {
    while run.withLock({ $0 == nil }) { await Task.yield() }
    let run = run.withLock { $0! }
    var kinds: [WorkerPoolError.Kind] = []
    for how in [PipelineRun.Stop.drain, .now] {
      do { try await run.stop(how) } catch { if let error = error as? WorkerPoolError { kinds.append(error.kind) } }
    }
    do { try await run.wait() } catch { if let error = error as? WorkerPoolError { kinds.append(error.kind) } }
    return kinds
  }
}

/// Asks, and puts an item.
private struct AsksItself: Source {
  let ask: @Sendable () async -> Void

  func produce(_ out: Outlet<Int>) async throws {
    await ask()
    try await out.put(1)
  }
}

/// Puts some items, and the others when the gate is open.
private struct GatedItems: Source {
  let gate: AsyncStream<Void>

  func produce(_ out: Outlet<Int>) async throws {
    for item in 0..<20 { try await out.put(item) }
    for await _ in gate {}
    for item in 20..<200 { try await out.put(item) }
  }
}

/// Waits for the run of which it is a part, and says what it was told.
private final class OwnRun: Sendable {
  let place: String
  let run = Mutex<PipelineRun?>(nil)
  let kinds = Mutex<[WorkerPoolError.Kind]>([])

  init(place: String) { self.place = place }

  func wait(in here: String) async throws {
    guard here == place else { return }
    while true {
      guard let run = run.withLock({ $0 }) else {
        try await Task.sleep(for: .milliseconds(1))
        continue
      }
      do {
        return try await run.wait()
      } catch let error as WorkerPoolError {
        kinds.withLock { $0.append(error.kind) }
        throw error
      }
    }
  }
}

private struct WaitingWorker: Worker {
  let own: OwnRun

  func setUp(_ context: WorkerContext) async throws { try await own.wait(in: "set-up") }
  func process(_ item: Int, state: inout Void) -> Int { item }
  func tearDown(_ state: Void) async throws { try await own.wait(in: "tear-down") }
}

private struct WaitingStage: Stage {
  let own: OwnRun

  func setUp(_ context: StageContext, _ out: Outlet<Int>) async throws { try await own.wait(in: "set-up") }
  func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) async throws { try await out.put(item) }
  func tearDown(_ state: consuming Void, _ out: Outlet<Int>) async throws { try await own.wait(in: "tear-down") }
}

/// Hands on what it gets, and at the end what that makes together.
private struct Totals: Stage, Codable {
  func setUp(_ context: StageContext, _ out: Outlet<Int>) -> Int { 0 }

  func process(_ item: Int, state: inout Int, _ out: Outlet<Int>) async throws {
    state += item
    try await out.put(item)
  }

  func tearDown(_ state: consuming Int, _ out: Outlet<Int>) async throws { try await out.put(-state) }
}

/// Has somebody else put after its return, too.
private struct LeavesPuts: Source {
  let ended: CommonCounter

  func produce(_ out: Outlet<Int>) async throws {
    try await out.put(0)
    for number in 1...3 {
      Task.detached {
        try? await out.put(number)
        ended.increment()
      }
    }
  }
}

extension Checked {
  /// Nothing of a run waits for ever.
  @Suite(.timeLimit(.minutes(1))) struct PipelineWaitCases {
    @Test(
      "U132: a side channel that wants no more drops what is put", arguments: Backends.everything.able(.sharesObjects))
    func fullChannels(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool in
          let channel = SideChannel<Int>("errors") {
            Pipeline<Int, Void> {
              AddX(amount: 0)
              Take(3)
              Map { (item: Int) in ledger.note("\(item)") }
            }
          }
          let pipeline = Pipeline<Int, Int> { Tells(channel: channel) }.using(channel)
          let found = try await pipeline.list(of: 0..<3_000, on: pool)
          #expect(found == Array(0..<3_000))
          #expect(try ledger.lines.count == 3)
        }
      }
    }

    // On processes its worker is ended.
    @Test("U132: a put that waits for room ends when its run is cancelled", arguments: Backends.shared)
    func waitingPuts(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        let gate = CommonCounter()
        let channel = SideChannel<Int>("slow", capacity: 2) {
          Pipeline<Int, Void> {
            Serial {
              Map { (item: Int) in
                while gate.value == 0 { try await Task.sleep(for: .milliseconds(1)) }
              }
            }
          }
        }
        let pipeline = Pipeline<Int, Int> { TellsOften(channel: channel, seen: ledger) }.using(channel)
        try await withWorkerPool(backend) { pool in
          let task = Task { try await pipeline.list(of: 0..<1, on: pool) }
          while try ledger.lines.isEmpty { await Task.yield() }
          task.cancel()
          while try ledger.lines.count < 2 { await Task.yield() }
          #expect(try ledger.lines == ["begins", "ends: true"])
          // What was put goes through, and until then the channel keeps its run.
          gate.increment()
          await #expect(throws: CancellationError.self) { _ = try await task.value }
        }
      }
    }

    @Test("U133: code of a run cannot wait for the run's end", arguments: Backends.shared)
    func fromInside(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let handle = Handle()
        let found = Mutex<[[WorkerPoolError.Kind]]>([])
        let ask: @Sendable () async -> Void = {
          let kinds = await handle.refusals()
          found.withLock { $0.append(kinds) }
        }
        let channel = SideChannel<Int>("asks") {
          Pipeline<Int, Void> { Map { (item: Int) in await ask() } }
        }
        let pipeline = Pipeline<Nothing, Int> {
          AsksItself(ask: ask)
          Map { (item: Int) -> Int in
            await ask()
            try await channel.put(item)
            return item
          }
        }.using(channel)
        let run = try pipeline.start(on: pool)
        handle.set(run)
        try await run.wait()
        // Its source, its item, and its side channel's.
        #expect(found.withLock { $0 } == Array(repeating: Array(repeating: .calledFromItem, count: 3), count: 3))
        // Another's code may: here one of a pool around it.
        try await withWorkerPool(backend) { outer in
          _ = try await outer.map(0..<1) { item in
            let inner = try Pipeline { Items(0..<10) }.map { $0 }.start()
            try await inner.wait()
            try await inner.stop()
            return item
          }
        }
      }
    }

    @Test("U134: who waits for a run can be cancelled, and the run goes on", arguments: Backends.all)
    func cancelledWait(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let source = EndlessCount()
        let run = try Pipeline { source }.map(with: AddX(amount: 1)).start(on: pool)
        let waiting = Task { try await run.wait() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        let before = source.made.value
        while source.made.value < before + 10 { await Task.yield() }
        #expect(run.state == .running)
        try await run.stop(.now)
        #expect(run.state == .finished)
      }
    }

    @Test("U135: the longest durations are that long", arguments: [WorkerPool.Backend.threads(2), .serial])
    func durations(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let longest = Duration.seconds(Int64.max)
        let batches = try await Pipeline { Items(0..<4) }.batch(3, within: longest).list(on: pool)
        #expect(batches == [[0, 1, 2], [3]])
        let one = try await Pipeline { Items(0..<1) }.throttle(1, per: longest).list(on: pool)
        #expect(one == [0])
        let passed = CommonCounter()
        // The second waits there: in a serial pool nothing else runs meanwhile.
        let run = try Pipeline { Items(0..<2) }.stage(Tap("See") { _ in passed.increment() }).throttle(1, per: longest)
          .start(on: pool)
        while passed.value < 2 { await Task.yield() }
        try await run.stop(.now)
      }
    }

    @Test("U136: an item that is cancelled in a serial stage is told", arguments: Backends.shared)
    func serialItems(backend: WorkerPool.Backend) async throws {
      try await withFolder { folder in
        try await withWorkerPool(backend) { pool in
          let pipeline = Pipeline<Nothing, String> {
            Items(["x"])
            Pipeline<String, String> { Command("sh", "-c", "echo >\(folder)/begun; exec sleep 1000") }
              .options(StageOptions(on: .serial))
          }
          let task = Task { try await pipeline.list(on: pool) }
          while try await Pipeline({ Read("\(folder)/begun", follow: true) }).take(1).list().isEmpty {}
          task.cancel()
          await #expect(throws: CancellationError.self) { _ = try await task.value }
        }
      }
    }

    @Test("U169: an item may wait for a pipeline of its pool that was begun elsewhere", arguments: Backends.shared)
    func awaitedInside(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for how in ["wait", "stop", "outputs"] {
          let (gate, opener) = AsyncStream<Void>.makeStream()
          let pipeline = Pipeline { GatedItems(gate: gate) }.stage(Tallying()).map { $0 + 1 }
          // It has its workers in all slots before items have these.
          let run = how == "outputs" ? nil : try pipeline.start(on: pool)
          var outputs = pipeline.outputs(on: pool).makeAsyncIterator()
          if how == "outputs" { #expect(try await outputs.next() != nil) }
          nonisolated(unsafe) let rest = outputs
          let sums = try await pool.map(0..<4, options: MapOptions(chunking: .size(1))) { item -> Int in
            if item > 0 { return item }
            opener.finish()
            switch how {
            case "wait": try await run!.wait()
            case "stop": try await run!.stop()
            default:
              var rest = rest
              while try await rest.next() != nil {}
            }
            return item
          }
          #expect(sums == [0, 1, 2, 3])
        }
      }
    }

    @Test(
      "U188: a set-up and a tear-down that wait for their own run are told that they cannot",
      arguments: Backends.shared.each(with: ["set-up", "tear-down"]))
    func ownErrands(backend: WorkerPool.Backend, place: String) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for isStage in [false, true] {
          let own = OwnRun(place: place)
          let pipeline = Pipeline<Int, Int> { AddX(amount: 0) }
          let whole = isStage ? pipeline.stage(WaitingStage(own: own)) : pipeline.map(with: WaitingWorker(own: own))
          let run = try whole.start(of: 0..<5, on: pool)
          own.run.withLock { $0 = run }
          try? await run.wait()
          #expect(own.kinds.withLock { Set($0) } == [.calledFromItem])
        }
        #expect(try await pool.map(0..<3) { $0 } == [0, 1, 2])
      }
    }

    @Test("U183: a stage is one, also where items of its pool begin to wait for its run", arguments: Backends.shared)
    func oneInstance(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let pipeline = Pipeline<Int, Int> { AddX(amount: 0) }.stage(Totals())
        var outputs = pipeline.outputs(of: 1...50, on: pool).makeAsyncIterator()
        for item in 1...3 { #expect(try await outputs.next() == item) }
        nonisolated(unsafe) let rest = outputs
        let found = try await pool.map([0]) { _ -> [Int] in
          var (rest, found): (_, [Int]) = (rest, [])
          while let output = try await rest.next() { found.append(output) }
          return found
        }
        #expect(found == [Array(4...50) + [-1_275]])
        // One item at a time on a way of two levels.
        let deep = pipeline.outputs(of: 1...50, on: pool)
        nonisolated(unsafe) var first = deep.makeAsyncIterator()
        #expect(try await first.next() == 1)
        nonisolated(unsafe) let others = first
        let last = try await pool.map([0]) { _ in
          var others = others
          #expect(try await others.next() == 2)
          nonisolated(unsafe) let rest = others
          return try await pool.map([0]) { _ -> Int? in
            var (rest, last): (_, Int?) = (rest, nil)
            while let output = try await rest.next() { last = output }
            return last
          }
        }
        #expect(last == [[-1_275]])
      }
    }

    @Test("U193: puts that outlive their source end with the run")
    func lateParts() async throws {
      for _ in 0..<100 {
        let ended = CommonCounter()
        var outputs = Pipeline { LeavesPuts(ended: ended) }.outputs().makeAsyncIterator()
        #expect(try await outputs.next() == 0)
        while try await outputs.next() != nil {}
        while ended.value < 3 { await Task.yield() }
      }
    }

    @Test("U168: pipelines of a pool's items run on that pool", arguments: Backends.shared)
    func insideItems(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let add = Pipeline<Int, Int> { AddX(amount: 1) }
        let staged = Pipeline<Int, Int> { AddX(amount: 1) }.map { $0 }.stage(Tallying())
        @Sendable func sums(_ item: Int) async throws -> [Int] {
          let list = try await add.list(of: 1...item, on: pool)
          try await staged.run(of: 1...item, on: pool)
          var outputs: [Int] = []
          for try await output in staged.outputs(of: 1...item, on: pool) { outputs.append(output) }
          let run = try add.start(of: 1...item, on: pool)
          try await run.wait()
          return [list.count, outputs.count]
        }
        for _ in 0..<5 {
          let expected = (1...4).map { [$0, $0 + 1] }
          let found = try await pool.map(1...4) { try await sums($0) }
          #expect(found == expected)
          // Several at once, and deeper.
          let tasks = (0..<2).map { _ in Task { try await pool.map(1...4) { try await sums($0) } } }
          let deep = Task { try await pool.map(1...2) { _ in try await pool.map(1...4) { try await sums($0) } } }
          let piped = Task {
            try await Pipeline<Int, Int>.graph { $0.map { try await sums($0)[0] } }.list(of: 1...4, on: pool)
          }
          for task in tasks { #expect(try await task.value == expected) }
          #expect(try await deep.value == [expected, expected])
          #expect(try await piped.value == Array(1...4))
        }
      }
    }
  }
}
