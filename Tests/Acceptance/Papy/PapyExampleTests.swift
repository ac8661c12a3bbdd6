import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// PaPy's `world.py` and `args.py`: a function that has further arguments.
private struct Passes: StatelessWorker, Codable {
  var arguments: [String]
  var named: [String: String]

  func process(_ element: String) -> String {
    "\(element) \(arguments.joined(separator: " ")) \(named["kwarg"] ?? "")"
  }
}

private struct Replaces: StatelessWorker, Codable {
  var old: String
  var new: String
  func process(_ word: String) -> String { word.replacing(old, with: new) }
}

private struct Raises: StatelessWorker, Codable {
  var power: Int
  func process(_ base: Int) -> Int { (0..<power).reduce(1) { product, _ in product * base } }
}

private struct SaysOwn: StatelessWorker, Codable {
  func process(_ item: Int) -> Int32 { getpid() }
}

/// Dumps an item into a file: who has dumped it is in there.
private struct Dumps: StatelessWorker, Codable {
  var folder: String

  func process(_ item: Int) throws -> String {
    let path = "\(folder)/\(item)"
    try "\(getpid())".write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }
}

private struct Loads: StatelessWorker, Codable {
  func process(_ path: String) throws -> String { "\(try String(contentsOfFile: path, encoding: .utf8))->\(getpid())" }
}

extension Checked {
  /// PaPy's examples, each by its name, to the letter of the case.
  @Suite(.timeLimit(.minutes(1))) struct PapyExamples {
    private let elements = (0..<5).map { "element_\($0)" }
    private static let leet = Pipeline<String, String> {
      Replaces(old: "e", new: "3")
      Replaces(old: "o", new: "0")
    }
    private var leet: Pipeline<String, String> { Self.leet }

    /// A folder of its own, gone behind the body.
    private func inFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
      let folder = FileManager.default.temporaryDirectory.appending(path: "papy-\(UUID())").path
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      return try await body(folder)
    }

    // MARK: One map

    @Test(
      "I6 world, args: five elements in order, each of which sees the fixed arguments", arguments: Backends.everything)
    func i6(backend: WorkerPool.Backend) async throws {
      let worker = Passes(arguments: ["arg_0", "arg_1"], named: ["kwarg": "kwarg_0"])
      let expected = (0..<5).map { "element_\($0) arg_0 arg_1 kwarg_0" }
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool)
        let output = try loom.add(elements, with: worker)
        var results: [String] = []
        for try await result in output { results.append(result) }
        let listed = try await Pipeline { Items(elements) }.map(with: worker).list(on: pool)
        #expect(results == expected && listed == expected)
      }
    }

    @Test("I5 chain: five elements through three chained tasks", arguments: Backends.everything)
    func chain(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let same = Replaces(old: "", new: "")
        let loom = try StridedMap(on: pool)
        let third = try loom.add(loom.add(loom.add(elements, with: same), with: same), with: same)
        var results: [String] = []
        for try await result in third { results.append(result) }
        #expect(results == elements)
        let stages = Pipeline<String, String> {
          same
          same
          same
        }
        let listed = try await stages.list(of: elements, on: pool)
        #expect(listed == elements)
      }
    }

    @Test("I5 branch: left and right meet in the root", arguments: Backends.everything.able(.runsClosures))
    func branch(backend: WorkerPool.Backend) async throws {
      let (left, right) = ((0..<5).map { "left_\($0)" }, (0..<5).map { "right_\($0)" })
      let expected = (0..<5).map { "(left_\($0), right_\($0))" }
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool)
        let (lefts, rights) = (try loom.add(left) { $0 }, try loom.add(right) { $0 })
        let root = try loom.add(lefts, rights) { "(\($0), \($1))" }
        var results: [String] = []
        for try await result in root { results.append(result) }
        #expect(results == expected)
        let graph = Pipeline<Nothing, (String, String)>.graph { _ in
          zip(Millrace.Flow(Items(left)).map { $0 }, Millrace.Flow(Items(right)).map { $0 })
        }
        let rows = try await graph.list(on: pool)
        #expect(rows.map { "(\($0.0), \($0.1))" } == expected)
      }
    }

    @Test("I7 1, 0, 3 under one: 1, an error, a third", arguments: Backends.everything.able(.runsClosures))
    func i7(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        @Sendable func inverse(_ number: Int) throws -> Double {
          if number == 0 { throw Refused(item: 0) }
          return 1 / Double(number)
        }
        let loom = try StridedMap(on: pool)
        let output = try loom.add([1, 0, 3]) { try inverse($0) }
        let first = try await output.next()
        let failure = await #expect(throws: ItemFailure.self) { try await output.next() }
        let (third, end) = (try await output.next(), try await output.next())
        #expect(first == 1 && failure?.index == 1 && third == 1 / 3 && end == nil)
        var seen: [String] = []
        for try await outcome in Pipeline<Int, Double>.graph({ $0.map { try inverse($0) } }).outcomes(
          of: [1, 0, 3], on: pool)
        {
          seen.append((try? outcome.output).map { "\($0)" } ?? "error")
        }
        #expect(seen == ["1.0", "error", "\(1.0 / 3)"])
      }
    }

    @Test(
      "I13 a piper's limit: in time, not in time, and then it is there", arguments: Backends.all.able(.runsClosures))
    func i13(backend: WorkerPool.Backend) async throws {
      let gate = CommonCounter(1)
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 3)
        let output = try loom.add([0.5, 1.0, 0.5]) { (wait: Double) in
          await gate.wait(for: wait == 1.0 ? 2 : 1)
          return wait
        }
        let first = try await output.next(within: .seconds(30))
        let error = await #expect(throws: StridedMapError.self) { try await output.next(within: .milliseconds(75)) }
        gate.set(2)
        let rest = [try await output.next(within: .seconds(30)), try await output.next(within: .seconds(30))]
        #expect(first == 0.5 && error?.kind == .nextTimedOut && rest == [1.0, 0.5])
      }
    }

    @Test(
      "I14 given up at once, or after a result, whatever the stride: no hang, and the pool goes on",
      arguments: Backends.apart)
    func i14(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for (stride, taken) in (1...22).flatMap({ stride in [0, 1].map { (stride, $0) } }) {
          let consumed = CommonCounter()
          let loom = try StridedMap(on: pool, stride: stride)
          let output = try loom.add(CountedItems(count: 500, consumed: consumed), with: AddOne())
          try loom.start()
          for _ in 0..<taken { _ = try await output.next() }
          loom.cancel()
          #expect(consumed.value <= taken + stride + 2 * stride)
        }
        for _ in 0..<2 {
          let loom = try StridedMap(on: pool)
          let result = try await loom.add(17..., with: AddOne()).next()
          #expect(result == 18)
          loom.cancel()
        }
      }
    }

    @Test("I15 workers with arguments: the cube of the square of 2 is 64", arguments: Backends.everything)
    func i15(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let both = Pipeline<Int, Int> {
          Raises(power: 2)
          Raises(power: 3)
        }
        let listed = try await both.list(of: [2], on: pool)
        let loom = try StridedMap(on: pool)
        let cubed = try loom.add(loom.add([2], with: Raises(power: 2)), with: Raises(power: 3))
        let result = try await cubed.next()
        #expect(listed == [64] && result == 64)
      }
    }

    // MARK: Pipers

    @Test("func: a function of a module, inside a worker", arguments: Backends.everything)
    func function(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pids = try await Pipeline<Int, Int32> { SaysOwn() }.list(of: 0..<4, on: pool)
        #expect(pids.allSatisfy { pool.sharesMemory == ($0 == getpid()) })
      }
    }

    @Test("worker, piper, parallel_piper: one replacement, and two", arguments: Backends.everything)
    func pipers(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let worker = try await Pipeline<String, String> { Replaces(old: "e", new: "3") }.list(
          of: ["hello", "world"], on: pool)
        #expect(worker == ["h3llo", "world"])
        let piper = try await leet.list(of: ["hello", "world"], on: pool)
        #expect(piper == ["h3ll0", "w0rld"])
        guard backend.kind.widths.upperBound > 1 else { return }
        let parallel = try await Pipeline<String, String> { Parallel(2) { leet } }.list(
          of: ["hello", "world"], on: pool)
        #expect(parallel == ["h3ll0", "w0rld"])
      }
    }

    @Test(
      "produce, consume, produce_consume, produce_spawn_consume", arguments: Backends.everything.able(.runsClosures))
    func produceConsume(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let produce = leet.flatMap { [$0, $0] }
        let produced = try await produce.list(of: ["hello", "world"], on: pool)
        #expect(produced == ["h3ll0", "h3ll0", "w0rld", "w0rld"])
        let words = ["hello", "world", "hi", "folks"]
        let consume = Pipeline<String, [String]> { Batched(2) }.map { $0.joined(separator: " ") }
        let consumed = try await consume.list(of: words, on: pool)
        #expect(consumed == ["hello world", "hi folks"])
        let both = try await produce.batch(4).map { "\($0[0]) \($0[2])" }.list(of: words, on: pool)
        #expect(both == ["h3ll0 w0rld", "hi f0lks"])
        guard backend.kind.widths.upperBound > 1 else { return }
        let spawning = Pipeline<String, String> {
          produce
          Parallel(2) { Map { (word: String) in word.uppercased() } }
        }
        let spawned = try await spawning.batch(4).map { "\($0[0]) \($0[2])" }.list(of: words, on: pool)
        #expect(spawned == ["H3LL0 W0RLD", "HI F0LKS"])
      }
    }

    // MARK: Graphs

    @Test("I17 join, dagger, dagger_inputs, and a tee", arguments: Backends.everything.able(.runsClosures))
    func graphs(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let join = Pipeline<Nothing, String>.graph { _ in
          let left = Millrace.Flow(Items(["hello", "hi"])).through(Self.leet)
          let right = Millrace.Flow(Items(["world", "folks"])).through(Self.leet)
          return zip(left, right).map { "\($0) \($1)" }
        }
        let joined = try await join.list(on: pool)
        #expect(joined == ["h3ll0 w0rld", "hi f0lks"])
        let dagger = try await leet.map(with: Replaces(old: "l", new: "1")).list(of: ["hello", "world"], on: pool)
        #expect(dagger == ["h3110", "w0r1d"])
        // Which is first is said where they meet, not by which was written first.
        let inputs = Pipeline<Nothing, String>.graph { _ in
          let second = Millrace.Flow(Items(["world", "hello"])).map { $0 }
          let first = Millrace.Flow(Items(["hello", "world"])).map { $0 }
          return zip(first, second).map { "\($0) \($1)" }
        }
        let bound = try await inputs.list(on: pool)
        #expect(bound == ["hello world", "world hello"])
        let tee = Pipeline<Int, (Int, Int)>.graph { numbers in
          zip(numbers.map(with: Raises(power: 2)), numbers.map(with: Times(factor: 2)))
        }
        let pairs = try await tee.list(of: 1...6, on: pool).map { "\($0)" }
        #expect(pairs == ["(1, 2)", "(4, 4)", "(9, 6)", "(16, 8)", "(25, 10)", "(36, 12)"])
      }
    }

    @Test("I20 plumber: what comes of which item is tracked", arguments: Backends.everything)
    func plumber(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = leet.map(with: Replaces(old: "l", new: "1"))
        var tracked: [Int: String] = [:]
        for try await outcome in pipeline.outcomes(of: ["hello", "world"], on: pool) {
          tracked[outcome.index] = try outcome.output
        }
        #expect(tracked == [0: "h3110", 1: "w0r1d"])
      }
    }

    @Test(
      "I20 pipeline: ten items part, meet on a pool of four, and each is joined of two",
      arguments: Backends.apart.able(.runsClosures))
    func pipeline(backend: WorkerPool.Backend) async throws {
      guard backend.kind.widths.upperBound >= 4 else { return }
      try await withWorkerPool(backend) { pool in
        let clock = ContinuousClock()
        var lines: [String] = []
        let time = try await clock.measure {
          let graph = Pipeline<Int, String>.graph { numbers in
            let (left, right) = (numbers.parallel(4, SaysOwn()), numbers.parallel(4, SaysOwn()))
            return zip(left, right).map { "joined result from process:\($0) and process:\($1)" }
          }
          lines = try await graph.list(of: 0..<10, on: pool)
        }
        #expect(lines.count == 10 && time > .zero)
        #expect(lines.allSatisfy { $0.wholeMatch(of: /joined result from process:\d+ and process:\d+/) != nil })
      }
    }

    @Test("workflow: cleaned, stamped with a time, tracked", arguments: Backends.all.able(.runsClosures))
    func workflow(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let begun = Date()
        let pipeline = Pipeline<String, String> { Replaces(old: ".", new: "-") }.map { (text: String) in (text, Date())
        }
        var tracked: [Int: (String, Date)] = [:]
        for try await outcome in pipeline.outcomes(of: ["AGA.TA", "TG..AA"], on: pool) {
          tracked[outcome.index] = try outcome.output
        }
        #expect(tracked[0]?.0 == "AGA-TA" && tracked[1]?.0 == "TG--AA" && tracked.count == 2)
        #expect(tracked.values.allSatisfy { $0.1 >= begun && $0.1 <= Date() })
      }
    }

    // MARK: Between processes

    @Test("ipc: dumped by one pool's process, and loaded by another's", .enabled(if: !ThreadSanitizer.isOn))
    func ipc() async throws {
      try await inFolder { folder in
        let pipeline: Pipeline<Nothing, String> = Pipeline {
          Items(0..<4)
          Parallel(1, on: .processes()) { Dumps(folder: folder) }
          Parallel(1, on: .processes()) { Loads() }
        }
        let lines = try await pipeline.list()
        let pids = lines.map { $0.split(separator: ">").map { $0.filter(\.isNumber) } }
        #expect(lines.count == 4 && pids.allSatisfy { $0.count == 2 && $0[0] != $0[1] && $0[0] != "\(getpid())" })
      }
    }

    @Test("I21 four strings through a file, a FIFO, memory that is mapped, and JSON")
    func i21() async throws {
      let strings = ["aaa\n", "b_b_b", "abc\n", "ddd"]
      try await inFolder { folder in
        // Each string as it is: what separates them is in none.
        let (file, fifo) = ("\(folder)/file", "\(folder)/fifo")
        try await Pipeline { Items(strings) }.write(to: file, terminator: "\u{0}").run()
        let fromFile = try await Pipeline { Read(file, separator: "\u{0}") }.list()
        #expect(fromFile == strings)

        #expect(mkfifo(fifo, 0o600) == 0)
        async let reading = Pipeline { Read(fifo, separator: "\u{0}") }.list()
        try await Pipeline { Items(strings) }.write(to: fifo, .append, terminator: "\u{0}").run()
        let fromFIFO = try await reading
        #expect(fromFIFO == strings)

        // A file for each: the next stage maps it.
        let dumped = Pipeline<String, String> {
          Map { (text: String) in
            let path = "\(folder)/\(text.hashValue)"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return path
          }
          Map { (path: String) in
            let bytes = try SharedBytes(contentsOf: path)
            return bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
          }
        }
        let mapped = try await dumped.list(of: strings)
        #expect(mapped == strings)

        let coded = Pipeline<String, [UInt8]>.graph { $0.map { [UInt8](try JSONEncoder().encode($0)) } }
        let decoded = try await coded.map { try JSONDecoder().decode(String.self, from: Data($0)) }.list(of: strings)
        #expect(decoded == strings)
        // A stream of three that are coded, a line each.
        let stream = "\(folder)/stream"
        try await coded.write(to: stream).run(of: strings.prefix(3).map { $0 })
        let again = try await Pipeline { Read(stream) }.map {
          try JSONDecoder().decode(String.self, from: Data($0.utf8))
        }
        .list()
        #expect(again == Array(strings.prefix(3)))
      }
    }
  }
}
