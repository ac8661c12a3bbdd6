import Foundation
import Logging
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// Prints for ever.
private struct Chatter: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    if item == 5 {
      let bytes = (0..<1 << 16).map { UInt8(ascii: $0 % 2 == 0 ? "x" : "\n") }
      while true { _ = write(STDERR_FILENO, bytes, bytes.count) }
    }
    return item
  }
}

/// Hears everything, and passes nothing on: whoever logs takes his time over it.
private struct Silence: LogHandler {
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {}
}

/// Gives large items back, and dies of some of them the first time.
private struct Carrier: Worker, Codable {
  var deadly: Set<Int>
  var ledger: LineLedger?

  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: [UInt8], state context: inout WorkerContext) -> [UInt8] {
    ledger?.note("\(context.index)")
    if context.attempt == 1, deadly.contains(context.index) { kill(getpid(), SIGKILL) }
    return item
  }
}

extension Faults {
  /// Workers that write nonsense into what they share with the pool, or leave it half done: it costs them their lives.
  @Suite(.forks) struct Hostile {
    static let quiet = ["SWIFT_BACKTRACE": "enable=no"]

    /// Each other item has its right output; the unlucky one has its outcome too.
    private func expectOnlyTheVandalPays(_ pool: WorkerPool, _ vandal: Vandal, _ options: MapOptions) async throws {
      var index = 0
      for try await outcome in pool.outcomes(of: 0..<40, with: vandal, options: options) {
        #expect(outcome.index == index)
        switch outcome.result {
        case .success(let output): #expect(output.first == index * 2 && (output.count == 1 || index == Vandal.unlucky))
        case .failure(let failure):
          #expect(failure.index == Vandal.unlucky, "\(failure)")
          if case .threw(let error) = failure.cause { Issue.record("the deed was not done: \(error)") }
        }
        index += 1
      }
      #expect(index == 40)
      try await expectUsable(pool)
    }

    @Test(
      "F57 a worker writes nonsense into its ring, its marker, its socket", arguments: Vandal.Deed.allCases,
      [Vandal.Aftermath.goOn, .dieAtOnce, .trap])
    func f57(deed: Vandal.Deed, aftermath: Vandal.Aftermath) async throws {
      for start in aftermath == .goOn ? [WorkerPool.ProcessOptions.Start.forkServer, .spawn, .fork] : [.forkServer] {
        let processes = WorkerPool.ProcessOptions(start: start, environment: Self.quiet)
        try await withWorkerPool(.processes(2, processes)) { pool async throws in
          // One after another: what was overwritten is nobody else's.
          let options = MapOptions(chunking: .size(1), retry: .upTo(2))
          try await expectOnlyTheVandalPays(pool, Vandal(deed: deed, aftermath: aftermath), options)
        }
      }
    }

    @Test("F57 the same every time that the item is tried", arguments: Vandal.Deed.allCases)
    func f57Always(deed: Vandal.Deed) async throws {
      try await withWorkerPool(.processes(2, WorkerPool.ProcessOptions(environment: Self.quiet))) { pool async throws in
        let options = MapOptions(chunking: .size(1), retry: .upTo(3))
        let vandal = Vandal(deed: deed, aftermath: .dieAtOnce, attempts: .max)
        try await expectOnlyTheVandalPays(pool, vandal, options)
      }
    }

    @Test("F57 a worker writes nonsense, and hangs", arguments: Vandal.Deed.allCases)
    func f57Hangs(deed: Vandal.Deed) async throws {
      try await withWorkerPool(.processes(2, WorkerPool.ProcessOptions(environment: Self.quiet))) { pool async throws in
        let options = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(item: .milliseconds(200)))
        try await expectOnlyTheVandalPays(pool, Vandal(deed: deed, aftermath: .hang), options)
      }
    }

    @Test("F17 workers die with pieces of their rings and segments in use", arguments: WorkerLife.processes)
    func f17(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let items = (0..<30).map { [UInt8](repeating: UInt8($0), count: $0 % 3 == 0 ? 300_000 : 9_000) }
        let deadly = Set((0..<30).filter { $0 % 4 < 2 })
        let options = MapOptions(chunking: .size(3), retry: .upTo(1))
        #expect(try await pool.map(items, with: Carrier(deadly: deadly), options: options) == items)
        try await expectUsable(pool)
      }
    }

    @Test("F15 large outputs that a worker had sent before it died are not made again", arguments: WorkerLife.processes)
    func f15Large(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool async throws in
          let items = (0..<8).map { [UInt8](repeating: UInt8($0), count: 200_000) }
          let options = MapOptions(chunking: .size(8), retry: .upTo(1))
          #expect(try await pool.map(items, with: Carrier(deadly: [7], ledger: ledger), options: options) == items)
        }
        #expect(try ledger.lines.sorted() == ["0", "1", "2", "3", "4", "5", "6", "7", "7"])
      }
    }

    @Test("F64 an item prints without end, and is ended by its limit", arguments: WorkerLife.processes)
    func f64Endless(backend: WorkerPool.Backend) async throws {
      let begun = ContinuousClock.now
      let logger = Logger(label: "void") { _ in Silence() }
      try await withWorkerPool(backend, logger: logger) { pool async throws in
        let options = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(item: .milliseconds(200)))
        var failed: [Int] = []
        for try await outcome in pool.outcomes(of: 0..<20, with: Chatter(), options: options) {
          if case .failure(let failure) = outcome.result { failed.append(failure.index) }
        }
        #expect(failed == [5])
      }
      // Whoever reads on as long as there is something comes to the limit only by chance.
      #expect(ContinuousClock.now - begun < .seconds(8))
    }

    /// Words that run a program where the file system for shared memory is small.
    static let cramped = [
      "unshare", "-Urm", "sh", "-c", "mount -t tmpfs -o size=1m none /dev/shm && exec \"$@\"", "sh",
    ]

    /// Memory files are not files of that system: they are neither bound by it nor do they need it.
    @Test(
      "F58 the file system for shared memory has a megabyte",
      .enabled("user namespaces are not allowed here") {
        try await onPlainThread { try TestProgram([], through: cramped + ["true"]).wait() == 0 }
      }, arguments: ["forkServer", "spawn", "fork"])
    func f58(start: String) async throws {
      let through = Self.cramped
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram(["faulted", start], through: through)
        return (program.rest(), program.wait())
      }
      #expect(lines == KillPoints.right && code == 0)
    }

    @Test("F58 no piece of shared memory may be larger than a limit", arguments: ["forkServer", "spawn", "fork"])
    func f58Limit(start: String) async throws {
      // The lanes do not fit; they do, and large items do not; everything does.
      for (limit, expected) in [
        (64 << 10, "errno 27"), (1 << 20, "small: right, large: errno 27, shared: right, much of it: errno 27"),
        (64 << 20, "small: right, large: right, shared: right, much of it: right"),
      ] {
        let (lines, code) = try await onPlainThread {
          let program = try TestProgram(["limited", start, "\(limit)"])
          return (program.rest(), program.wait())
        }
        #expect(code == 0 && lines.count == 1 && lines[0].contains(expected), "limit \(limit): \(code), \(lines)")
      }
    }
  }
}
