import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Options with a number in each of them that nobody should give, and somebody will.
private enum Hostile {
  static let numbers = [Int.max, .max - 1, 1 << 62, 1 << 53, 1 << 31, 0, -1, .min]
  static let fractions =
    [
      .infinity, -.infinity, .nan, .greatestFiniteMagnitude, 1e300, 0x1p63, 0x1p53, 0, -0.0, .leastNonzeroMagnitude,
      -1, 1.000_000_000_000_000_2,
    ] as [Double]
  static let times =
    [
      .seconds(Int64.max), .seconds(-Int64.max), .zero, .nanoseconds(-1),
      Duration(secondsComponent: .max, attosecondsComponent: 999_999_999_999_999_999),
    ] as [Duration]

  static func backoff(_ factor: Double, upTo maximum: Duration) -> MapOptions.Backoff {
    var backoff = MapOptions.Backoff.exponential(.nanoseconds(1), maximum: maximum)
    backoff.factor = factor
    return backoff
  }

  static var options: [(String, MapOptions)] {
    var all: [(String, MapOptions)] = []
    func add(_ name: String, _ change: (inout MapOptions) -> Void) {
      var options = MapOptions()
      change(&options)
      all.append((name, options))
    }
    for number in numbers {
      add("count \(number)") { $0.count = number }
      add("chunks of \(number)") { $0.chunking = .size(number) }
      add("chunks of \(number) in a small window") {
        $0.chunking = .size(number)
        $0.window = .items(3)
      }
      add("\(number) chunks") { ($0.chunking, $0.count) = (.count(number), 50) }
      add("\(number) chunks a worker") { ($0.chunking, $0.count) = (.perWorker(number), 50) }
      add("two chunks of \(number)") { ($0.chunking, $0.count) = (.count(2), number) }
      add("window \(number)") { $0.window = .items(number) }
      add("failures \(number)") { $0.maximumFailures = number }
      add("retries \(number)") { $0.retry = .upTo(number, backoff: .constant(.nanoseconds(1))) }
      add("crashes \(number)") { $0.retry = .upTo(1, maximumCrashes: number) }
      add("life of \(number)") { $0.lifespan.items = number }
      add("memory of \(number)") { $0.lifespan.memory = number }
      add("seed \(number)") { $0.seed = UInt64(bitPattern: Int64(number)) }
    }
    for fraction in fractions {
      add("chunks of \(fraction)") { $0.chunking = .size(fraction) }
      add("chunks of \(fraction) in a small window") {
        $0.chunking = .size(fraction)
        $0.window = .items(3)
      }
      add("window of \(fraction) chunks") { $0.window = .chunksPerWorker(fraction) }
      add("window of \(fraction) items a worker") { $0.window = .itemsPerWorker(fraction) }
      add("factor \(fraction)") {
        $0.retry = .upTo(2, backoff: backoff(fraction, upTo: .microseconds(1)))
      }
    }
    for time in times {
      add("item in \(time)") { $0.timeouts.item = time }
      add("set-up in \(time)") { $0.timeouts.setUp = time }
      add("tear-down in \(time)") { $0.timeouts.tearDown = time }
      add("next in \(time)") { $0.nextTimeout = time }
      add("age of \(time)") { $0.lifespan.age = time }
      add("back-off up to \(time)") {
        $0.retry = .upTo(2, backoff: backoff(2, upTo: time))
      }
    }
    return all
  }
}

extension Checked {
  /// A number from the user is refused, or means what it says; it never becomes memory before items do, and never overflows.
  @Suite struct HostileOptions {
    @Test("U6: every number in the options of a map, over every kind of input", arguments: Backends.Conforming.all)
    func map(backend: WorkerPool.Backend) async throws {
      let items = Array(0..<50)
      try await withWorkerPool(backend) { pool in
        for (name, options) in Hostile.options {
          let all = min(options.count ?? 50, 50)
          func check(_ input: String, _ run: () async throws -> [Int]) async {
            do {
              #expect(try await run() == (0..<max(0, all)).map { $0 + 1 }, "\(name), \(input)")
            } catch is InvalidOption {
              // Refused by name.
            } catch {
              Issue.record("\(name), \(input): \(error)")
            }
          }
          await check("array") { try await pool.map(items, with: AddOne(), options: options) }
          await check("sequence") { try await pool.map(lazily(items), with: AddOne(), options: options) }
          await check("asynchronous") { try await pool.map(Numbers(count: 50), with: AddOne(), options: options) }
          await check("stream") {
            var outputs: [Int] = []
            for try await output in pool.outputs(of: items, with: AddOne(), options: options) { outputs.append(output) }
            return outputs
          }
        }
      }
    }

    @Test("U6: failures under every number of retries", arguments: Backends.shared)
    func failures(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for time in Hostile.times + [.nanoseconds(1)] where time > .zero {
          var options = MapOptions()
          options.retry = .upTo(3, backoff: Hostile.backoff(.infinity, upTo: time))
          options.maximumFailures = .max
          if time > .nanoseconds(1) { options.retry.backoff.maximum = .microseconds(1) }
          let outputs = try await pool.map(
            0..<20, with: Picky(modulus: 5, remainder: 0), onFailure: .skip, options: options)
          #expect(outputs.count == 16)
        }
      }
    }

    @Test("U6: ranges of more numbers than there can be, in chunks of all of them", arguments: Backends.Conforming.all)
    func endless(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for chunking in [MapOptions.Chunking.automatic, .size(.max), .size(1e300), .count(1), .perWorker(1)] {
          for options in [MapOptions(chunking: chunking, window: .items(1_000), count: .max)] {
            var count = 0
            do {
              for try await _ in pool.outputs(of: 0...Int.max, with: AddOne(), options: options) {
                count += 1
                if count == 100 { break }
              }
            } catch is InvalidOption {
              count = 100
            }
            #expect(count == 100, "\(options)")
          }
        }
      }
    }

    @Test("U6: widths, of pools and of parallel maps")
    func widths() async throws {
      for width in Hostile.numbers {
        for backend in [WorkerPool.Backend.tasks(width), .threads(width), .processes(width)] {
          await #expect(throws: InvalidOption.self) { _ = try await withWorkerPool(backend) { $0.width } }
        }
        for options in [
          WorkerPool.ProcessOptions(threadsPerProcess: width), WorkerPool.ProcessOptions(ringCapacity: width),
        ] {
          await #expect(throws: InvalidOption.self) {
            _ = try await withWorkerPool(.processes(1, options)) { _ in 0 }
          }
        }
        try await withWorkerPool(.threads(1)) { pool in
          _ = #expect(throws: InvalidOption.self) { try pool.resize(to: width) }
        }
      }
      for time in Hostile.times where time >= .zero {
        let outputs = try await withWorkerPool(.processes(1, WorkerPool.ProcessOptions(grace: time))) { pool in
          try await pool.map([1], with: AddOne())
        }
        #expect(outputs == [2])
      }
    }

    @Test("U6: a wait of centuries for one item", arguments: Backends.Conforming.all)
    func submissions(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for time in Hostile.times where time > .zero {
          #expect(try await pool.submit(1, with: AddOne()).value(within: time) == 2)
        }
      }
    }

    @Test("U6: grains, widths and chunks of collections")
    func collections() {
      let numbers = Array(0..<100)
      for size in [Int.max, 1 << 53, 2] {
        let byGrain = numbers.parallelMap(grain: size) { $0 + 1 }
        #expect(byGrain == Array(1...100))
        let byWidth = numbers.parallelMap(width: size) { $0 + 1 }
        #expect(byWidth == Array(1...100))
        #expect(numbers.chunks(of: size).flatMap { $0 } == numbers)
        #expect(numbers.chunks(count: size).flatMap { $0 } == numbers)
        #expect(numbers.evenChunks(count: size, atLeast: size).flatMap { $0 } == numbers)
        #expect(numbers.evenChunks(atMost: size).flatMap { $0 } == numbers)
      }
      for size in [.greatestFiniteMagnitude, 0x1p63, 1.000_000_000_000_000_2] as [Double] {
        #expect(numbers.chunks(of: size).flatMap { $0 } == numbers)
      }
    }

    @Test("U6: grains and widths of asynchronous parallel maps")
    func asynchronous() async {
      let numbers = Array(0..<100)
      for size in [Int.max, 1 << 53, 2] {
        let byGrain = await numbers.parallelMap(grain: size) { $0 + 1 }
        #expect(byGrain == Array(1...100))
        let byWidth = await numbers.parallelMap(width: size) { $0 + 1 }
        #expect(byWidth == Array(1...100))
      }
    }
  }
}
