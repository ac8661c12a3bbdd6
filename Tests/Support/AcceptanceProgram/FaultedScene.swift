import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// Maps over items that lie in the ring as they are, over encoded ones and over large ones, all with limits and so many
  /// retries, while something happens to the workers or to this program; says what came of each map.
  static func faulted(_ start: String, retries: Int) async throws {
    let starts: [String: WorkerPool.ProcessOptions.Start] = ["forkServer": .forkServer, "spawn": .spawn, "fork": .fork]
    guard let start = starts[start] else { exit(64) }
    let processes = WorkerPool.ProcessOptions(start: start, grace: .milliseconds(100))
    try await withWorkerPool(.processes(2, processes)) { pool in
      let numbers = Array(0..<24)
      try await say("numbers", pool, numbers, Triple(), retries) { $0 * 3 }
      try await say("words", pool, numbers.map(String.init), Repeat(), retries) { "\($0) \($0)" }
      try await say("blocks", pool, (0..<6).map { [UInt8](repeating: $0, count: 128 << 10) }, Reverse(), retries) {
        Array($0.reversed())
      }
      try await say("shared", pool, lent(12), Borrow(), retries) {
        Returned(index: $0.index, made: try! SharedArray([$0.index, 2 * $0.index]))
      }
    }
    say("over")
  }

  /// Items that stay well within their limit.
  static func patient(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      let options = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(item: .milliseconds(900)))
      let items = Array(0..<12)
      var outputs: [Int] = []
      for try await output in pool.outputs(of: items, with: Slow(), options: options) {
        outputs.append(output)
        if output == 2 { say("running") }
      }
      say(outputs == items ? "right" : "\(outputs)")
    }
  }

  /// Traps in what it makes of the outputs.
  static func adds(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      _ = try await pool.outcomes(of: 0..<1_000, with: Brief(), order: .completion).reduce(into: UInt8(0)) {
        $0 += UInt8(try $1.output)
      }
    }
  }

  /// A pool in a program that may open only so many descriptors more.
  ///
  /// - Parameter isHeld: Whether something else has them for a moment when the map begins.
  static func cramped(_ start: String, _ free: Int32, width: Int = 4, isHeld: Bool = false) async throws {
    let starts: [String: WorkerPool.ProcessOptions.Start] = ["forkServer": .forkServer, "spawn": .spawn, "fork": .fork]
    guard let start = starts[start] else { exit(64) }
    await openDispatch()
    // Dispatch has a file of its threads' open for a moment now and then, which is not one that stays, though it may have had a number when one
    // that stays took the next.
    var taken = Set(0..<Int32(64))
    for _ in 0..<100 {
      taken = taken.filter { fcntl($0, F_GETFD) >= 0 }
      sched_yield()
    }
    let all = (0..<Int32.max).lazy.filter { !taken.contains($0) }.dropFirst(Int(free)).first!
    var limit = rlimit(rlim_cur: rlim_t(all), rlim_max: rlim_t(all))
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    do {
      let outputs = try await withWorkerPool(.processes(width, WorkerPool.ProcessOptions(start: start))) { pool in
        var held: [Int32] = []
        while isHeld, case let number = dup(1), number >= 0 { held.append(number) }
        // What the pool needs before it starts workers.
        for number in held.suffix(6) { close(number) }
        held.removeLast(min(6, held.count))
        async let letGo: Void = { [held] in
          try await Task.sleep(for: .milliseconds(100))
          for number in held { close(number) }
        }()
        let outputs = try await pool.map(0..<40, with: Triple(), options: MapOptions(chunking: .size(1)))
        try await letGo
        return outputs
      }
      say(outputs == (0..<40).map { $0 * 3 } ? "right" : "wrong")
    } catch {
      say("\(error)")
    }
  }

  /// Dispatch opens what it needs at first use, on a thread of its own, and traps if it cannot: the timer with which it watches its threads,
  /// and the bell of the main queue. What came after our limit would take the place of what the limit counts as free.
  static func openDispatch() async {
    await Task.detached {}.value
    func isTimer(_ number: Int) -> Bool {
      var name = [UInt8](repeating: 0, count: 64)
      let count = name.withUnsafeMutableBytes {
        readlink("/proc/self/fd/\(number)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
      }
      return count > 0 && String(decoding: name.prefix(count), as: UTF8.self) == "anon_inode:[timerfd]"
    }
    while !(0..<32).contains(where: isTimer) { sched_yield() }
    openMainQueue()
  }

  /// The first thread leaves a program of tasks as soon as there is one, and opens the bell of the main queue on its way out, which may be
  /// any time: unless it is there by then.
  static func openMainQueue() {
    guard let open = dlsym(nil, "_dispatch_get_main_queue_handle_4CF") else { return }
    _ = unsafeBitCast(open, to: (@convention(c) () -> Int32).self)()
  }

  /// A pool in a program whose files, those in memory too, may have only so many bytes.
  static func limited(_ start: String, _ bytes: Int) async throws {
    let starts: [String: WorkerPool.ProcessOptions.Start] = ["forkServer": .forkServer, "spawn": .spawn, "fork": .fork]
    guard let start = starts[start] else { exit(64) }
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    do {
      try await withWorkerPool(.processes(2, WorkerPool.ProcessOptions(start: start))) { pool in
        let small = (0..<20).map { [UInt8](repeating: $0, count: 100) }
        let isSmallRight = try await pool.map(small, with: Reverse()) == small
        let large = (0..<4).map { [UInt8](repeating: $0, count: 2 << 20) }
        var found: Set<String> = []
        for try await outcome in pool.outcomes(of: large, with: Reverse()) {
          switch outcome.result {
          case .success(let output): found.insert(output == outcome.input ? "right" : "wrong")
          case .failure(let failure): found.insert("\(failure)".contains("errno 27") ? "errno 27" : "\(failure)")
          }
        }
        // And what is shared.
        let few = try SharedArray<UInt8>(repeating: 7, count: 1_000)
        let isFewRight = try await pool.map(0..<2, with: LastOf(bytes: few)) == [7, 7]
        var many: String
        do {
          let array = try SharedArray<UInt8>(repeating: 7, count: 2 << 20)
          many = try await pool.map(0..<2, with: LastOf(bytes: array)) == [7, 7] ? "right" : "wrong"
        } catch {
          many = "\(error)".contains("errno 27") ? "errno 27" : "\(error)"
        }
        let words = [isSmallRight, isFewRight].map { $0 ? "right" : "wrong" }
        say(
          "small: \(words[0]), large: \(found.sorted().joined(separator: ", ")), shared: \(words[1]), much of it: \(many)"
        )
      }
    } catch {
      say("\(error)")
    }
  }

  private static func say<W: Worker>(
    _ name: String, _ pool: WorkerPool, _ items: [W.Input], _ worker: W, _ retries: Int,
    expecting: (W.Input) -> W.Output
  ) async throws where W.Output: Equatable {
    let options = MapOptions(
      chunking: .size(4), retry: .upTo(retries),
      timeouts: MapOptions.Timeouts(item: .milliseconds(400), setUp: .milliseconds(400), tearDown: .milliseconds(400)),
      keepsWorkers: false)
    var index = 0
    var right = 0
    var failures: [ItemFailure] = []
    for try await outcome in pool.outcomes(of: items, with: worker, options: options) {
      guard outcome.index == index else { return say("\(name): \(outcome.index) came instead of \(index)") }
      switch outcome.result {
      case .success(let output) where output == expecting(items[index]): right += 1
      case .success: return say("\(name): item \(index) came to something wrong")
      case .failure(let failure): failures.append(failure)
      }
      index += 1
    }
    say("\(name): \(right) right" + failures.map { ", \($0)" }.joined())
  }
}

struct Slow: StatelessWorker {
  func process(_ item: Int) -> Int {
    usleep(400_000)
    return item
  }
}

struct Triple: StatelessWorker {
  func process(_ item: Int) -> Int { item * 3 }
}

struct Repeat: StatelessWorker {
  func process(_ item: String) -> String { "\(item) \(item)" }
}

struct LastOf: StatelessWorker, Codable {
  var bytes: SharedArray<UInt8>
  func process(_ item: Int) -> UInt8 { bytes[bytes.count - 1] }
}

struct Reverse: StatelessWorker {
  func process(_ item: [UInt8]) -> [UInt8] { item.reversed() }
}
