import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Is busy for so many milliseconds, whatever the clock of the machine does meanwhile.
private struct Busy: StatelessWorker, Codable {
  func process(_ milliseconds: Int) -> Int {
    let end = ContinuousClock.now + .milliseconds(milliseconds)
    while ContinuousClock.now < end {}
    return milliseconds
  }
}

private struct FragileAtThree: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    if item == 3 { fatalError("three") }
    return item
  }
}

private struct HalfOf: StatelessWorker, Codable {
  func process(_ item: [UInt8]) -> [UInt8] { Array(item.prefix(item.count / 2)) }
}

private struct Twice: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { 2 * item }
}

extension Checked {
  /// Where the time of a pool's workers went.
  @Suite struct InsightsOfPools {
    @Test("M16, U276: items and times, slot by slot, while it runs and afterwards", arguments: Backends.Conforming.all)
    func times(backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      #expect(pool.insights.isEmpty)
      pool.recordInsights()
      pool.recordInsights()
      #expect(pool.observerCount == 1)
      // At first nobody knows how long items take, and a process may be given several at once: each has its mean then.
      let options = MapOptions(chunking: .size(1))
      _ = try await pool.map(Array(repeating: 2, count: 29) + [30], with: Busy(), options: options)
      let insights = pool.insights
      let longest = insights.longest
      #expect(insights.total.items == 30 && insights.items.count == 30)
      // U346: places in a queue are no workers, which would have nothing to do.
      #expect(insights.slotsAreQueuePlaces == backend.description.hasPrefix("cluster"))
      #expect(insights.slots.count == pool.width)
      #expect(insights.total.times.working >= .milliseconds(88))
      #expect(longest.count == 5)
      #expect(zip(longest, longest.dropFirst()).allSatisfy { $0.elapsed >= $1.elapsed })
      // The last is among them, unless the machine had others wait for longer. Of those with which it was given, some have been told before.
      if let last = longest.first(where: { $0.indices.contains(29) }) {
        #expect(last.elapsed >= .milliseconds(5))
      } else {
        #expect(longest.count == 5 && longest.allSatisfy { $0.elapsed >= .milliseconds(2) })
      }
      #expect(longest.allSatisfy { $0.input == ($0.indices.lowerBound == 29 ? "30" : "2") })
      #expect(insights.items.p50 >= .milliseconds(1.9) && insights.items.p99 >= longest[0].elapsed * 0.95)
      // No slot has more time than there was.
      #expect(insights.slots.allSatisfy { $0.times.total <= insights.elapsed })
      try await pool.shutdown()
      let after = pool.insights
      #expect(after.total.items == 30 && after.elapsed >= insights.elapsed)
      #expect(pool.insights == after)
      #expect(pool.timelineSVG()?.contains("class=\"working\"") == true)
    }

    @Test("U259: bytes both ways, and the memory of workers, or of the program", arguments: Backends.Conforming.all)
    func bytes(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        pool.recordInsights()
        let items = (0..<20).map { [UInt8](repeating: UInt8($0), count: 1_000 * ($0 + 1)) }
        let outputs = try await pool.map(items, with: HalfOf())
        #expect(outputs.map(\.count) == items.map { $0.count / 2 })
        let total = pool.insights.total
        let travels = !backend.kind.abilities.contains(.sharesMemory)
        #expect((total.bytesIn != nil) == travels && (total.bytesOut != nil) == travels)
        if travels {
          // What one slot gives back, another is sent.
          #expect(
            (210_000..<420_000).contains(total.bytesIn!) && (105_000..<110_000).contains(total.bytesOut!), "\(total)")
        }
        // A worker process has a megabyte or more, and not all that there is. A slot without one has none.
        if !backend.kind.abilities.contains(.sharesWorkers) {
          #expect((1 << 20..<1 << 34).contains(try #require(total.peakMemory)))
        }
      }
    }

    @Test("U259: memory is looked at now and then, and only where somebody wants to know", .timeLimit(.minutes(1)))
    func memory() async throws {
      try await withWorkerPool(.processes(1)) { pool in
        let chunks = MapOptions(chunking: .size(1))
        let (_, subscription) = pool.observe(buffer: 100_000)
        _ = try await pool.map(0..<100, with: Twice(), options: chunks)
        pool.recordInsights()
        let clock = ContinuousClock()
        let began = clock.now
        _ = try await pool.map(0..<2_000, with: Twice(), options: chunks)
        let looks = Int(began.duration(to: clock.now) / .milliseconds(50))
        var found: [JobID: [Int?]] = [:]
        for event in subscription.buffer.take().elements {
          if case .chunkFinished(_, let job, _, _, _, _, let memory, _) = event.event {
            found[job, default: []].append(memory)
          }
        }
        let maps = found.sorted { $0.key.value < $1.key.value }.map(\.value)
        try #require(maps.count == 2)
        #expect(maps[0].allSatisfy { $0 == nil })
        let count = maps[1].count { $0 != nil }
        #expect((1...looks + 2).contains(count), "\(count) looks in \(looks) times 50 ms")
      }
    }

    @Test("of thousands of chunks none is missed, whoever folds")
    func many() async throws {
      try await withWorkerPool(.threads(4)) { pool in
        pool.recordInsights()
        try await pool.forEach(0..<5_000, options: MapOptions(chunking: .size(1))) { $0 }
        let insights = pool.insights
        #expect(insights.total.items == 5_000 && insights.total.chunks == 5_000 && insights.items.count == 5_000)
      }
    }

    @Test("what the longest items hold is let go of with no lock held")
    func lettingGo() async throws {
      // Its `deinit` asks the pool.
      final class Nosy: Sendable {
        let pool: WorkerPool
        init(_ pool: WorkerPool) { self.pool = pool }
        deinit { _ = (pool.insights, pool.describe()) }
      }
      try await withWorkerPool(.threads(2)) { pool in
        pool.recordInsights()
        let options = MapOptions(chunking: .size(1), window: .items(4))
        try await pool.forEach((0..<50).lazy.map { ($0, Nosy(pool)) }, options: options) { item in
          let end = ContinuousClock.now + .microseconds(20 * item.0)
          while ContinuousClock.now < end {}
        }
        #expect(pool.insights.total.items == 50)
      }
    }

    @Test("crashes, and workers that take their places", arguments: Backends.isolating)
    func crashes(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        pool.recordInsights()
        try await pool.forEach(
          0..<10, with: FragileAtThree(), onFailure: .skip, options: MapOptions(chunking: .size(1)))
        // Somebody has to come back for this, wherever it runs.
        _ = try await pool.map(
          Array(repeating: 5, count: 2 * pool.width), with: Busy(), options: MapOptions(chunking: .size(1)))
        let total = pool.insights.total
        #expect(total.failed == 1 && total.items == 9 + 2 * pool.width)
        #expect(total.crashes >= 1 && total.restarts.crash >= 1)
        #expect(!pool.insights.isInefficient || pool.insights.hint?.contains("lost") == true || pool.width > 2)
        #expect(pool.timelineSVG()?.contains("crashed after") == true)
      }
    }

    @Test("a letter a worker, and the pool in words", arguments: [WorkerPool.Backend.threads(3), .tasks(3)])
    func letters(backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      #expect(pool.stateLine == "...")
      let line = try await pool.run { (pool.stateLine, pool.describe()) }
      #expect(line.0.count == 3 && line.0.contains("R"))
      #expect(line.1.contains("works on item 0 of map 1"))
      try await pool.shutdown()
      #expect(pool.stateLine == "$$$")
      #expect(pool.describe().contains("stopped"))
    }
  }
}
