#if Cluster
import Logging
import Millrace
import MillraceIPC
import TestSupport
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// Maps over agents in this process: the driver's part and the agent's, without what starts processes.
private struct SquareOnTheMainActor: StatelessWorker, Codable {
  func process(_ item: Int) async -> Int { await MainActor.run { item * item } }
}

private struct WhereItRuns: StatelessWorker, Codable {
  func process(_ item: Int) -> Int32 { getpid() }
}

private struct RefusesSevens: StatelessWorker, Codable {
  struct Seven: Error {}
  func process(_ item: Int) throws -> Int {
    if item.isMultiple(of: 7) { throw Seven() }
    return item
  }
}

/// Leaves a file for each item.
private struct Marks: StatelessWorker, Codable {
  var folder: String
  func process(_ item: Int) throws { try Files.write("\(folder)/\(item)", "", mode: 0o600) }
}

/// Of nothing, nothing comes; at one place not even that.
private struct Nothing: StatelessWorker, Codable {
  func process(_ item: Void) { if WorkerContext.current?.index == 33 { kill(getpid(), SIGKILL) } }
}

extension Checked {
  @Suite struct HereTests {
    private func withCluster(
      _ kind: QueueKind, agents: Int = 2, slots: Int = 2, width: Int = 6, lease: Duration = .seconds(2),
      manifest: Manifest = Manifest(), agentLogger: Logger = Logger(label: "agent"),
      backend: @escaping @Sendable (Int) -> WorkerPool.Backend = { .threads($0) },
      _ body: (WorkerPool, QueueLab) async throws -> Void
    ) async throws {
      try await withLab(kind) { lab in
        let launcher = HereLauncher(agents) {
          var options = Agent.Options()
          options.slots = slots
          options.backend = backend
          options.manifest = manifest
          return Agent(lab.client(lease: lease), options, logger: agentLogger)
        }
        try await withWorkerPool(.cluster(lab.client(lease: lease), launcher, width: width)) { pool in
          try await body(pool, lab)
        }
      }
    }

    // How many go together is a matter of how fast they are here and now: `ParcelTests`.
    @Test(
      "short chunks that are many, which go together, come in order, and each is answered", arguments: QueueKind.here)
    func parcels(_ kind: QueueKind) async throws {
      try await withCluster(kind, slots: 1, width: 64) { pool, _ in
        let options = MapOptions(chunking: .size(1))
        #expect(try await pool.map(0..<3_000, with: Square(), options: options) == (0..<3_000).map { $0 * $0 })
        // Failures among them are their own.
        var next = 0
        for try await outcome in pool.outcomes(of: 0..<700, with: RefusesSevens(), options: options) {
          #expect(outcome.index == next && (try? outcome.result.get()) == (next % 7 == 0 ? nil : next))
          next += 1
        }
        #expect(next == 700)
      }
    }

    @Test("a map, in order", arguments: QueueKind.here)
    func map(_ kind: QueueKind) async throws {
      try await withCluster(kind) { pool, _ in
        let squares = try await pool.map(0..<500, with: Square())
        #expect(squares == (0..<500).map { $0 * $0 })
        // And another, with the same agents.
        let more = try await pool.map([3], with: Square())
        #expect(more == [9])
      }
    }

    @Test("U243: a stage of one instance has one, in the order of the input, and what its tear-down puts comes")
    func oneInstance() async throws {
      try await withCluster(.inMemory, agents: 3, width: 12) { pool, _ in
        let squares = (0..<50).map { $0 * $0 }
        let squaring = Pipeline<Int, Int> { Square() }
        let taken = try await squaring.take(7).list(of: 0..<50, on: pool)
        #expect(taken == Array(squares.prefix(7)))
        let batches = try await squaring.batch(7).list(of: 0..<50, on: pool)
        #expect(batches.flatMap { $0 } == squares && batches.map(\.count) == [7, 7, 7, 7, 7, 7, 7, 1])
        let processes = try await Pipeline<Int, Int32> {
          Square()
          Serial { WhereItRuns() }
        }.list(of: 0..<50, on: pool)
        #expect(processes.count == 50 && Set(processes).count == 1)
      }
    }

    @Test(
      "U296: a pipeline of workers runs on a cluster with a tee of workers; a closure in it is named, and what to do",
      arguments: [false, true])
    func tee(_ hasMeta: Bool) async throws {
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      try await withCluster(.inMemory) { pool, _ in
        let options = StageOptions(recordsTimings: hasMeta)
        let teed = Pipeline<Int, Int> {
          Square()
          Tee {
            Square()
            Marks(folder: folder)
          }
          Square()
        }
        let found = try await (hasMeta ? teed.options(options) : teed).list(of: 1...9, on: pool)
        let fourth = (1...9).map { $0 * $0 * $0 * $0 }
        #expect(found == fourth)
        let marks = try Files.output(of: "ls '\(folder)'").split(separator: "\n").compactMap { Int($0) }
        #expect(marks.sorted() == fourth)
        let closure = Pipeline<Int, Int> {
          Tee {
            Square()
            Filter<Int> { $0 > 9 }
          }
        }
        let error = await #expect(throws: (any Error).self) { try await closure.list(of: 1...9, on: pool) }
        let text = "\(String(describing: error)) \(String(describing: (error as? PipelineError)?.underlying))"
        #expect(text.contains("a closure is a part of it") && text.contains("on: .threads()"), "\(text)")
        let here = Pipeline<Int, Int> {
          Square()
          Parallel(2, on: .threads()) { Filter<Int> { $0 > 9 } }
        }
        let large = try await here.list(of: 1...9, on: pool)
        #expect(large == (4...9).map { $0 * $0 })
      }
    }

    @Test("U162: the main actor runs in agents", arguments: QueueKind.here)
    func mainActor(_ kind: QueueKind) async throws {
      try await withCluster(kind) { pool, _ in
        let squares = try await pool.map(0..<20, with: SquareOnTheMainActor())
        #expect(squares == (0..<20).map { $0 * $0 })
      }
    }

    @Test("an output that cancels its map while it is decoded holds nobody up", .timeLimit(.minutes(1)))
    func decoding() async throws {
      try await withCluster(.inMemory) { pool, _ in
        let (gate, opening) = AsyncStream.makeStream(of: Void.self)
        let map = Task {
          for await _ in gate { break }
          _ = try await pool.map(0..<50, with: CancelsItsMap(), options: MapOptions(chunking: .size(1)))
        }
        CancelsItsMap.Output.map.withLock { $0 = map }
        opening.yield()
        await #expect(throws: CancellationError.self) { try await map.value }
        CancelsItsMap.Output.map.withLock { $0 = nil }
        let squares = try await pool.map(0..<20, with: Square())
        #expect(squares == (0..<20).map { $0 * $0 })
      }
    }

    @Test("items see their index, attempt and random numbers as in a pool of threads", arguments: QueueKind.here)
    func context(_ kind: QueueKind) async throws {
      let options = MapOptions(chunking: .size(7), seed: 5)
      func places(_ pool: WorkerPool) async throws -> [Whereabouts.Place] {
        try await pool.map(0..<60, with: Whereabouts(), options: options).map { place in
          Whereabouts.Place(index: place.index, attempt: place.attempt, random: place.random, process: 0)
        }
      }
      var expected: [Whereabouts.Place] = []
      try await withWorkerPool(.threads(2)) { expected = try await places($0) }
      try await withCluster(kind) { pool, _ in
        let found = try await places(pool)
        #expect(found == expected)
      }
    }

    @Test("failures are those of their items, and are tried again where the map is", arguments: QueueKind.here)
    func failures(_ kind: QueueKind) async throws {
      try await withCluster(kind) { pool, _ in
        var results: [String] = []
        let options = MapOptions(chunking: .size(3), retry: .upTo(2))
        for try await outcome in pool.outcomes(
          of: ["a", "throw", "b", "c", "throw"], with: Mischief(), options: options)
        {
          switch outcome.result {
          case .success(let text): results.append(text)
          case .failure(let failure):
            #expect(failure.attempt == 3)
            #expect(failure.underlying as? Mischief.Refused == Mischief.Refused(item: "throw"))
            results.append("failed \(failure.index)")
          }
        }
        #expect(results == ["A", "failed 1", "B", "C", "failed 4"])
      }
    }

    @Test("an item that takes too long is timed out by its agent", arguments: QueueKind.here)
    func timeouts(_ kind: QueueKind) async throws {
      try await withCluster(kind) { pool, _ in
        let options = MapOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(100)))
        var causes: [String] = []
        for try await outcome in pool.outcomes(of: ["a", "wait", "b"], with: Mischief(), options: options) {
          switch outcome.result {
          case .success(let text): causes.append(text)
          case .failure(let failure): causes.append("\(failure.cause)")
          }
        }
        #expect(causes == ["A", "timed out after 0.1 seconds", "B"])
      }
    }

    @Test("a worker that no agent can set up ends the map with its error", arguments: QueueKind.here)
    func unfit(_ kind: QueueKind) async throws {
      try await withCluster(kind) { pool, _ in
        let error = await #expect(throws: WorkerPoolError.self) { try await pool.map(0..<10, with: Unfit()) }
        #expect(error?.kind == .setUpFailed)
        #expect(error?.underlying is Unfit.NoLicence, "\(String(describing: error))")
        let squares = try await pool.map([2], with: Square())
        #expect(squares == [4])
      }
    }

    @Test("U111: a closure is refused, with captures or without, and told why")
    func closures() async throws {
      try await withCluster(.inMemory) { pool, _ in
        let offset = 3
        let capturing = await #expect(throws: WorkerPoolError.self) { try await pool.map([1, 2]) { $0 + offset } }
        let other = await #expect(throws: WorkerPoolError.self) { try await pool.map([1, 2]) { $0 + 1 } }
        for error in [capturing, other] {
          #expect(error?.kind == .notTransportable)
          #expect(
            says(error, "whatever it captures") && says(error, "Use a Worker type"), "\(String(describing: error))")
        }
      }
    }

    @Test("U110: a limit on set-ups is kept by the agents", arguments: QueueKind.here)
    func setUpLimit(_ kind: QueueKind) async throws {
      try await withCluster(kind) { pool, _ in
        let options = MapOptions(timeouts: MapOptions.Timeouts(setUp: .milliseconds(50)))
        let error = await #expect(throws: WorkerPoolError.self) {
          try await pool.map(0..<4, with: Late(), options: options)
        }
        #expect(error?.kind == .setUpFailed, "\(String(describing: error))")
        #expect(says(error, "0.05 seconds"), "\(String(describing: error))")
        let squares = try await pool.map([2], with: Square())
        #expect(squares == [4])
      }
    }

    @Test("U105: an agent's log names the items as the map does")
    func log() async throws {
      let heard = Heard()
      try await withCluster(.inMemory, agents: 1, slots: 1, agentLogger: heard.logger(), backend: { .processes($0) }) {
        pool, _ in
        let items = (0..<20).map { $0 % 12 == 7 ? "trap" : "\($0)" }
        var failed: [Int] = []
        for try await outcome in pool.outcomes(of: items, with: Mischief(), options: MapOptions(chunking: .size(5))) {
          if case .failure(let failure) = outcome.result { failed.append(failure.index) }
        }
        #expect(failed == [7, 19])
      }
      let named = heard.messages.filter { $0.contains("attempt 1") }.map { $0.prefix { $0 != "," } }
      #expect(named == ["item 7", "item 19"], "\(heard.messages)")
    }

    @Test("U227: items and outputs without a size, one of which ends its process", arguments: QueueKind.here)
    func nothing(_ kind: QueueKind) async throws {
      try await withCluster(kind, agents: 1, slots: 1, backend: { .processes($0) }) { pool, _ in
        let items: [Void] = [Void](repeating: (), count: 60)
        var failed: [Int] = []
        for try await outcome in pool.outcomes(of: items, with: Nothing(), options: MapOptions(chunking: .size(20))) {
          if case .failure(let failure) = outcome.result { failed.append(failure.index) }
        }
        #expect(failed == [33])
      }
    }

    @Test("U112: items of no length travel in few chunks", arguments: QueueKind.here)
    func fewChunks(_ kind: QueueKind) async throws {
      try await withCluster(kind) { pool, lab in
        let squares = try await pool.map(0..<20_000, with: Square())
        #expect(squares.count == 20_000)
        guard kind == .redis else { return }
        let counts = try await lab.ask(["HVALS", "millrace:{lab}:counts"]).array.compactMap(\.integer)
        // Begun with single items; as many as these took no chunk of its own for every ten.
        #expect(counts.reduce(0, +) < 2_000, "\(counts)")
      }
    }

    @Test(
      "U178: the task of an item that is given up is cancelled in an agent's worker process", .timeLimit(.minutes(1)))
    func givenUp() async throws {
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      func wait(for file: String) async throws {
        while access("\(folder)/\(file)", F_OK) != 0 { try await Task.sleep(for: .milliseconds(5)) }
      }
      try await withCluster(.inMemory, agents: 1, slots: 1, width: 1, backend: { .processes($0) }) { pool, _ in
        let process = try await pool.map([""], with: Waiting())
        #expect(process != [getpid()])
        for item in ["one", "two"] {
          let map = Task { try await pool.map(["\(folder)/\(item)"], with: Waiting()) }
          try await wait(for: "\(item).begun")
          map.cancel()
          await #expect(throws: CancellationError.self) { try await map.value }
          try await wait(for: "\(item).told")
          try await wait(for: "\(item).thrown")
          #expect(try await pool.map([""], with: Waiting()) == process)
        }
      }
    }

    @Test("an early end cancels what is out", arguments: QueueKind.here)
    func early(_ kind: QueueKind) async throws {
      try await withCluster(kind) { pool, _ in
        for try await item in pool.outputs(of: 0..<1_000, with: Slow(pause: .milliseconds(5))) where item == 20 {
          break
        }
        let squares = try await pool.map([2], with: Square())
        #expect(squares == [4])
      }
    }

    @Test(
      "an agent of another build, protocol or machine is refused, with the field's name, before it gets anything",
      arguments: QueueKind.here, ["build", "protocol", "word"])
    func other(_ kind: QueueKind, field: String) async throws {
      var manifest = Manifest()
      switch field {
      case "build": manifest.build = "another"
      case "protocol": manifest.version = "0"
      default: manifest.word = "64 middle-endian"
      }
      try await withCluster(kind, manifest: manifest) { pool, _ in
        let (_, subscription) = pool.observe()
        let error = await #expect(throws: WorkerPoolError.self) { try await pool.map([1], with: Square()) }
        #expect(error?.kind == .cannotStart)
        #expect(says(error, "\(field): "), "\(String(describing: error))")
        let joined = subscription.buffer.take().elements.contains {
          if case .memberJoined = $0.event { true } else { false }
        }
        #expect(!joined)
      }
    }

    @Test("a queue that forgets everything in mid-run gets it again", arguments: QueueKind.here)
    func forgetting(_ kind: QueueKind) async throws {
      try await withCluster(kind, lease: .milliseconds(600)) { pool, lab in
        var found: [Int] = []
        for try await item in pool.outputs(
          of: 0..<120, with: Slow(pause: .milliseconds(5)), options: MapOptions(chunking: .size(1)))
        {
          found.append(item)
          if item == 20 || item == 60 { try await lab.forget() }
        }
        #expect(found == Array(0..<120))
      }
    }

    @Test("nothing is left in the queue", arguments: QueueKind.here)
    func leftovers(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let launcher = HereLauncher(1) {
          var options = Agent.Options()
          options.backend = { .threads($0) }
          return Agent(lab.client(), options, logger: Logger(label: "agent"))
        }
        try await withWorkerPool(.cluster(lab.client(), launcher, width: 2)) { pool in
          _ = try await pool.map(0..<20, with: Square())
        }
        let left = try await lab.leftovers()
        #expect(left.allSatisfy { $0.hasSuffix(":epoch") || $0.hasSuffix(":phase") }, "\(left)")
      }
    }
  }
}
#endif
