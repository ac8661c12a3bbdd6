import Foundation
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// The stages that come with pipelines, by mpyx' and PaPy's numbers where they have one.
  @Suite(.timeLimit(.minutes(1))) struct BuiltInStages {
    @Test("X2 the same item, so often; a limit of 0 is none at all", arguments: Backends.all)
    func const(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let five = Pipeline { Const(0, limit: 5) }.map(with: AddX(amount: 1))
        let found = try await five.list(on: pool)
        #expect(found == [1, 1, 1, 1, 1])
        let none = try await Pipeline { Const(0, limit: 0) }.map(with: AddX(amount: 1)).list(on: pool)
        #expect(none == [])
        let some = try await Pipeline { Const(7) }.take(3).list(on: pool)
        #expect(some == [7, 7, 7])
      }
    }

    @Test("the first items and no more; 0 is none", arguments: Backends.everything)
    func take(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let source = EndlessCount()
        for count in [0, 1, 70] {
          let taken: Pipeline<Nothing, Int> = Pipeline {
            source
            AddX(amount: 1)
            Take(count)
          }
          let found = try await taken.list(on: pool)
          #expect(found == Array(0..<count).map { $0 + 1 })
        }
        let more = try await Pipeline { Items(1...3) }.take(10).list(on: pool)
        #expect(more == [1, 2, 3])
      }
    }

    @Test("what is nearly in order is put in order, and what comes too late stays late", arguments: Backends.everything)
    func sort(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let found = try await Pipeline<Int, Int> { Sort<Int>(within: 2) }.list(of: [3, 1, 2, 6, 5, 4, 7], on: pool)
        #expect(found == [1, 2, 3, 4, 5, 6, 7])
        let late = try await Pipeline<Int, Int> { Sort<Int>(within: 1) }.list(of: [3, 4, 5, 1], on: pool)
        #expect(late == [3, 4, 1, 5])
        let as_is = try await Pipeline<Int, Int> { Sort<Int>(within: 0) }.list(of: [3, 1, 2], on: pool)
        #expect(as_is == [3, 1, 2])
      }
      // Equal ones stay as they came.
      let pairs = try await Pipeline { Items([(1, "a"), (0, "b"), (1, "c"), (0, "d")]) }
        .sorted(within: 4) { $0.0 < $1.0 }.list()
      #expect(pairs.map(\.1) == ["b", "d", "a", "c"])
    }

    @Test("what is sorted keeps its own meta", arguments: Backends.all)
    func sortedMeta(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        var found: [String] = []
        let sorted = Pipeline { MarkedByBatch() }.sorted(within: 2, by: <)
        for try await outcome in sorted.outcomes(on: pool) {
          let item = try outcome.result.get()
          found.append("\(item) \(outcome.meta[BatchMark.self] ?? 0)")
        }
        #expect(found == ["1 10", "2 20", "3 30", "4 40"])
      }
    }

    @Test("items that pass are numbered, and go on", arguments: Backends.all)
    func stamp(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let stamped: Pipeline<Nothing, String> = Pipeline {
          Items(["a", "b"])
          Stamp("Item")
        }
        let found = try await stamped.list(on: pool)
        #expect(found == ["a", "b"])
      }
    }

    @Test("no more than so many pass in any span, by the clock")
    func throttle() async throws {
      let clock = VirtualClock()
      let begin = clock.now
      let pipeline: Pipeline<Int, Int> = Pipeline { Throttled(3, per: .seconds(10), clock: clock) }
      let task = Task {
        var times: [Duration] = []
        for try await _ in pipeline.outputs(of: 0..<8) { times.append(begin.duration(to: clock.now)) }
        return times
      }
      await clock.waitForSleepers(1)
      clock.advance(by: .seconds(10))
      await clock.waitForSleepers(1)
      clock.advance(by: .seconds(10))
      let times = try await task.value
      #expect(times.count == 8 && times.last! == .seconds(20))
    }

    @Test("U311: and each goes on when it may, not with those that have to wait", arguments: [1, 3])
    func throttledOneByOne(count: Int) async throws {
      let clock = VirtualClock()
      let pipeline: Pipeline<Int, Int> = Pipeline { Throttled(count, per: .seconds(10), clock: clock) }
      let found = try await withDeadline(.seconds(20)) {
        var found: [Int] = []
        var outputs = pipeline.outputs(of: 0..<60).makeAsyncIterator()
        for number in 0..<60 {
          if number > 0, number % count == 0 {
            await clock.waitForSleepers(1)
            clock.advance(by: .seconds(10))
          }
          // Nobody has to wait for the time of another to have this one.
          if let output = try await outputs.next() { found.append(output) }
        }
        return found
      }
      #expect(found == Array(0..<60))
    }

    @Test("each item goes on, and into the other pipeline as well", arguments: Backends.all.able(.runsClosures))
    func tee(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool in
          let pipeline: Pipeline<Nothing, Int> = Pipeline {
            Items(1...100)
            Tee {
              AddX(amount: 1_000)
              Tallying(ledger: ledger)
            }
            AddX(amount: 1)
          }
          let found = try await pipeline.list(on: pool)
          #expect(found == Array(2...101))
          let lines = try ledger.lines
          #expect(lines == ["up"] + (1_001...1_100).map { "\($0)" } + ["down"])
        }
      }
    }

    @Test("compactMap, merge and zip in chains", arguments: Backends.all.able(.runsClosures))
    func chains(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let even = Pipeline { Items(1...6) }.compactMap { $0 % 2 == 0 ? "\($0)" : nil }
        let found = try await even.list(on: pool)
        #expect(found == ["2", "4", "6"])
        let merged = try await Pipeline { Items(1...3) }.merge(Pipeline { Items(11...13) }).list(on: pool)
        #expect(merged.sorted() == [1, 2, 3, 11, 12, 13])
        #expect(merged.filter { $0 < 10 } == [1, 2, 3])
        let zipped = try await Pipeline { Items(1...3) }.zip(Pipeline { Items(["a", "b"]) }).list(on: pool)
        #expect(zipped.map { "\($0)" } == [#"(1, "a")"#, #"(2, "b")"#])
        let graph = Pipeline<Int, Int>.graph { flow in flow.compactMap { $0 > 1 ? $0 : nil }.merge(flow).take(10) }
        let graphed = try await graph.list(of: 1...3, on: pool)
        #expect(graphed.sorted() == [1, 2, 2, 3, 3])
      }
    }

    @Test("batches by count, by bytes, and by what the closure counts", arguments: Backends.everything)
    func batches(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let lines = ["aa", "bb", "ccccc", "d", "e", "f"]
        let byBytes: Pipeline<Nothing, [String]> = Pipeline {
          Items(lines)
          Batched(bytes: 4)
        }
        let found = try await byBytes.list(on: pool)
        #expect(found == [["aa", "bb"], ["ccccc"], ["d", "e", "f"]])
        let both: Pipeline<Nothing, [String]> = Pipeline {
          Items(lines)
          Batched(bytes: 4, upTo: 2)
        }
        let foundBoth = try await both.list(on: pool)
        #expect(foundBoth == [["aa", "bb"], ["ccccc"], ["d", "e"], ["f"]])
      }
      let huge = try await Pipeline { Items([5, Int.max, Int.max, 1]) }.batch(bytes: 10, of: { $0 }).list()
      #expect(huge == [[5], [Int.max], [Int.max], [1]])
      let counted = try await Pipeline { Items([1, 2, 3, 10, 1]) }.batch(bytes: 5, of: { $0 }).list()
      #expect(counted == [[1, 2], [3], [10], [1]])
    }

    @Test("a slow input's last items do not wait for their batch", arguments: Backends.all)
    func timedBatches(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (items, input) = AsyncStream<Int>.makeStream()
        let pipeline = Pipeline<Int, Int> { AddX(amount: 1) }.batch(100, within: .milliseconds(20))
        var outputs = pipeline.outputs(of: items, on: pool).makeAsyncIterator()
        for number in 0..<3 { input.yield(number) }
        var first: [Int] = []
        // They may have come in one span, or in several.
        while first.count < 3 { first += try #require(try await outputs.next()) }
        #expect(first == [1, 2, 3])
        input.yield(7)
        let second = try await outputs.next()
        #expect(second == [8])
        for number in 0..<250 { input.yield(number) }
        input.finish()
        var rest: [[Int]] = []
        while let batch = try await outputs.next() { rest.append(batch) }
        #expect(rest.flatMap { $0 } == Array(1...250) && rest.allSatisfy { $0.count <= 100 })
      }
    }

    @Test("a batch by time keeps failures in their place, and is given up with its run")
    func timedBatchesFail() async throws {
      let picky = Pipeline<Int, Int> {
        Map { (item: Int) throws in
          if item == 3 { throw Refused(item: item) }
          return item
        }
      }
      var seen: [String] = []
      let batches = picky.batch(2, within: .seconds(60))
      for try await outcome in batches.outcomes(of: 1...5) {
        switch outcome.result {
        case .success(let batch): seen.append("\(batch)")
        case .failure(let failure): seen.append("\(failure.index)")
        }
      }
      #expect(seen == ["[1, 2]", "2", "[4, 5]"])
      let failure = await #expect(throws: ItemFailure.self) {
        try await picky.batch(100, within: .seconds(60)).list(of: 1...5)
      }
      #expect(failure?.index == 2)
      // A loop that is left while a batch grows.
      let endless = Pipeline { EndlessCount() }.batch(10, within: .seconds(60))
      for try await _ in endless.outputs() { break }
    }

    @Test("U270: arguments that mean nothing are refused by name, before anything begins")
    func refusals() async throws {
      func refusal<Output>(_ pipeline: Pipeline<Nothing, Output>) async -> String {
        do {
          _ = try await pipeline.list()
          return "none"
        } catch {
          return "\(error)"
        }
      }
      let items = Pipeline { Items(1...5) }
      let texts = [
        await refusal(items.batch(0)), await refusal(items.batch(2, within: .seconds(-1))),
        await refusal(items.take(-1)),
        await refusal(items.throttle(0, per: .seconds(1))), await refusal(items.throttle(1, per: .zero)),
        await refusal(items.throttle(1, per: .seconds(-1))), await refusal(items.sorted(within: -1, by: <)),
        await refusal(Pipeline { Const(1, limit: -1) }), await refusal(Pipeline { Read("/dev/null", separator: "") }),
      ]
      #expect(
        texts == [
          "Batched is 0: it has to be 1 or more", "Batched(within:) is -1.0 seconds: it has to be 0 or more",
          "Take is -1: it has to be 0 or more", "Throttle is 0: it has to be 1 or more",
          "Throttle(per:) is 0.0 seconds: it has to be more than zero",
          "Throttle(per:) is -1.0 seconds: it has to be more than zero",
          "Sort(within:) is -1: it has to be 0 or more", "Const(limit:) is -1: it has to be 0 or more",
          "Read(separator:) is \"\": it has to be not empty",
        ])
      let words = Pipeline { Items(["a"]) }
      // Programs and paths that are none: U326.
      let none = [
        await refusal(words.map(with: Command([]))), await refusal(words.map(with: Command(""))),
        await refusal(words.map(with: Command(["cat", "a\0b"]))),
        await refusal(words.map(with: Command(["cat"], environment: ["A=B": "C"]))),
        await refusal(words.map(with: Command(["cat"], folder: ""))),
        await refusal(Pipeline { Read("") }), await refusal(words.write(to: "")),
        await refusal(
          Pipeline { Items([Script.Ports]()) }.map(
            with: Script(id: "s", [""], "s.sh", in: [], out: [Script.Port("o", "txt")], folder: "/tmp"))),
      ]
      #expect(
        none == [
          "a program is \"\": it has to be named", "a program is \"\": it has to be named",
          "an argument of cat is one with a NUL in it: it has to be without",
          "an environment variable of cat is \"A=B\": it has to be a name without \"=\" and NUL, and a value without NUL",
          "the path of the folder of cat is \"\": it has to be not empty",
          "the path of Read is \"\": it has to be not empty", "the path of Write is \"\": it has to be not empty",
          "a program is \"\": it has to be named",
        ])
      let bytes: Pipeline<Nothing, [Int]> = Pipeline {
        Items(1...5)
        Batched(bytes: 10)
      }
      #expect(await refusal(bytes).hasPrefix("Batched(bytes:) is of Int: it has to be of lines"))
      let serial: Pipeline<Nothing, Int> = Pipeline {
        Items(1...5)
        Serial(on: .threads(2)) { AddX(amount: 1) }
      }
      #expect(
        await refusal(serial)
          == "Serial(on:) is threads(2): it has to be as wide as the group is: threads(1), or without a width")
      let parallel: Pipeline<Nothing, Int> = Pipeline {
        Items(1...5)
        Parallel(0) { AddX(amount: 1) }
      }
      #expect(await refusal(parallel).hasPrefix("Parallel is 0: it has to be 1 to"))
    }
  }
}

private enum BatchMark: MetaKey { typealias Value = Int }

/// Items with ten times themselves as meta.
private struct MarkedByBatch: Source {
  static let setsMeta = true

  func produce(_ out: Outlet<Int>) async throws {
    for item in [3, 1, 2, 4] { try await out.put(item) { $0[BatchMark.self] = item * 10 } }
  }
}

/// `Throttle` by a clock of the test's.
private func Throttled(_ count: Int, per span: Duration, clock: VirtualClock) -> Pipeline<Int, Int> {
  Throttle(count, per: span, clock: clock).pipeline(of: Int.self)
}
