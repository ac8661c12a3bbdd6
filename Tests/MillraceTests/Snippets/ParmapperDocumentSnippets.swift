import Millrace

// parmapper's document, in the order of its lines, as "Coming from parmapper" shows it.

enum ParmapperDocumentSnippets {
  static func doSomething(_ item: Int) -> Int { item + 1 }

  static func doSomething(_ itemA: Int, _ itemB: Int, _ itemC: Int = 0, opt: Bool = false, opt2: Bool = true) -> String
  {
    "\(itemA) \(itemB) \(itemC) \(opt) \(opt2)"
  }

  static func inOneLine(_ items: [Int]) -> [Int] {
    let results = items.parallelMap(doSomething)

    return results
  }

  static func anyBackend(_ items: [Int], _ n: Int, threads: Bool) async throws -> [Int] {
    let backend: WorkerPool.Backend = n == 1 ? .serial : threads ? .threads(n) : .processes(n)
    let results = try await withWorkerPool(backend) { pool in
      try await pool.map(items) { item in doSomething(item) }
    }

    return results
  }

  static func anySequence(_ items: some Sequence<Int>) -> [Int] {
    let results = Array(items).parallelMap { item in item * item }

    return results
  }

  static func keywords(_ pool: WorkerPool, _ itemsA: [Int], _ itemsB: [Int], _ itemC: Int) async throws -> [[String]] {
    let pairs = try await pool.map(zip(itemsA, itemsB)) { a, b in doSomething(a, b) }

    let options = (0..<10).map { $0 % 2 == 0 }
    let changing = try await pool.map(zip(itemsA, options)) { item, opt in doSomething(item, 0, opt: opt) }

    let both = try await pool.map(zipped(itemsA, itemsB, options)) { a, b, opt in doSomething(a, b, opt: opt) }

    let fixed = try await pool.map(zipped(itemsA, itemsB, options)) { a, b, opt in
      doSomething(a, b, itemC, opt: opt, opt2: false)
    }

    return [pairs, changing, both, fixed]
  }

  static func progress(_ pool: WorkerPool, _ items: [Int]) async throws -> [Int] {
    let results = try await pool.map(items, options: MapOptions(progress: .bar("items"))) { doSomething($0) }

    return results
  }

  static func postprocessed(_ pool: WorkerPool, _ data: AsyncStream<Int>) async throws -> [String] {
    let prepared = data.map { $0 + 1 }
    let computed = pool.outputs(of: prepared) { $0 * $0 }
    let finished = computed.map { "\($0)" }
    var results: [String] = []
    for try await result in finished { results.append(result) }

    return results
  }

  static func chunksOnAPool(_ pool: WorkerPool, _ samples: [Double]) async throws -> [Double] {
    let roots = try await pool.map(samples.evenChunks(count: 4)) { part in part.map { $0.squareRoot() } }
      .flatMap { $0 }

    return roots
  }
}
