import Millrace

// What "What happens when things fail" shows.

enum FailureSnippets {
  struct Parse: StatelessWorker {
    func process(_ row: String) throws -> Int {
      guard let number = Int(row) else { throw NotANumber(text: row) }
      return 100 / number
    }
  }

  struct NotANumber: Error, Codable {
    var text: String
  }

  static func switching(_ pool: WorkerPool, _ rows: [String]) async throws -> [String] {
    var lines: [String] = []
    for try await outcome in pool.outcomes(of: rows, with: Parse()) {
      switch outcome.result {
      case .success(let number):
        lines.append("\(outcome.input): \(number)")
      case .failure(let failure):
        switch failure.cause {
        case .threw(let error as NotANumber): lines.append("no number: \(error.text)")
        case .crashed(let crash): lines.append("item \(failure.index) ended its worker: \(crash.kind)")
        default: lines.append("\(failure)")
        }
      }
    }
    return lines
  }

  static func policies(_ pool: WorkerPool, _ rows: [String]) async throws -> [Int] {
    // The first failure is thrown, the rest is cancelled: the default.
    let all = try await pool.map(rows, with: Parse())

    // Everything is run. Then, if items failed, `ItemFailures` is thrown.
    let whole = try await pool.map(rows, with: Parse(), onFailure: .collect)

    // Failed items are left out, but not more than ten of them.
    let some = try await pool.map(rows, with: Parse(), onFailure: .skip, options: MapOptions(maximumFailures: 10))

    return all + whole + some
  }

  static func retries() -> MapOptions {
    let options = MapOptions(
      retry: .upTo(3, backoff: .exponential(.milliseconds(100))) { failure in
        if case .threw = failure.cause { true } else { false }
      })

    return options
  }

  static func timeouts() -> MapOptions {
    let options = MapOptions(
      timeouts: MapOptions.Timeouts(item: .seconds(2), setUp: .seconds(30), tearDown: .seconds(5)),
      nextTimeout: .seconds(60))

    return options
  }

  static func busy(_ row: String) async throws -> Int? {
    let pool = try WorkerPool(.processes(4), queueLimit: 100)
    let options = ItemOptions(timeouts: MapOptions.Timeouts(item: .seconds(1), total: .seconds(3)))
    do {
      return try await pool.run(row, with: Parse(), options: options)
    } catch let error as WorkerPoolError where error.kind == .queueFull || error.kind == .timedOut {
      return nil  // busy: try again later
    }
  }

  static func lifespan() -> MapOptions {
    let options = MapOptions(lifespan: MapOptions.Lifespan(items: 10_000, memory: 512 << 20, age: .seconds(3600)))

    return options
  }

  static func cancellable(_ pool: WorkerPool, _ limits: [Int]) async throws -> [Int] {
    try await pool.map(limits) { limit in
      let context = WorkerContext.current!
      var sum = 0
      for number in 0..<limit {
        if number % 1_000 == 0, context.isCancelled { break }
        sum += number
      }
      return sum
    }
  }

  static func signals(_ rows: [String]) async throws -> [Int] {
    try await withWorkerPool(.processes()) { pool in
      try await withShutdownSignals(ending: pool) {
        try await pool.map(rows, with: Parse())
      }
    }
  }
}
