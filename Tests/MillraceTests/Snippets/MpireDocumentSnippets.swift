import Millrace

// MPIRE's document, in the order of its lines, as "Coming from MPIRE" shows it.

enum MpireDocumentSnippets {
  static func byHand() async throws -> [Int] {
    let pool = try WorkerPool(.processes(4))
    let squares = try await pool.map(0..<100, with: Square())
    try await pool.shutdown()

    return squares
  }

  static func inAHurry() async throws {
    let pool = try WorkerPool(.processes(4))
    let busy = try pool.submit(100, with: Square())
    try await pool.terminate()

    _ = busy
  }

  struct Square: StatelessWorker {
    func process(_ x: Int) -> Int { x * x }
  }

  struct Multiply: StatelessWorker {
    func process(_ pair: (Int, Int)) -> Int { pair.0 * pair.1 }
  }

  static func pinned() -> [WorkerPool.Backend] {
    typealias Options = WorkerPool.ProcessOptions
    // The two workers on CPUs 2 and 3.
    let two = WorkerPool.Backend.processes(2, Options(cpuIDs: [2, 3]))
    // Twenty on CPUs 40 to 59.
    let twenty = WorkerPool.Backend.processes(20, Options(cpuIDs: WorkerPool.CPUIDs((40..<60).map { [$0] })))
    // All on one core.
    let one = WorkerPool.Backend.processes(4, Options(cpuIDs: [0]))
    // All on the same cores, 4 to 7.
    let four = WorkerPool.Backend.processes(4, Options(cpuIDs: [[4, 5, 6, 7]]))
    // Two cores for each.
    let pairs = WorkerPool.Backend.processes(4, Options(cpuIDs: [[0, 1], [2, 3], [4, 5], [6, 7]]))

    return [two, twenty, one, four, pairs]
  }

  static func maps(_ pool: WorkerPool) async throws -> ([Int], [Int]) {
    let squares = try await pool.map(0..<100) { x in x * x }

    var products: [Int] = []
    for try await product in pool.outputs(of: zip(0..<100, 100..<200), { x, y in x * y }) { products.append(product) }

    return (squares, products)
  }

  /// Numbers, of which nobody knows how many there are.
  static func numbers() -> some Sequence<Int> { (0..<100).lazy.filter { $0 >= 0 } }

  static func chunked(_ pool: WorkerPool) async throws -> [[Int]] {
    let anyway = try await pool.map(numbers()) { $0 * $0 }

    let sixteen = try await pool.map(numbers(), options: MapOptions(chunking: .perWorker(4), count: 100)) { $0 * $0 }

    let fours = try await pool.map(numbers(), options: MapOptions(chunking: .size(4))) { $0 * $0 }

    return [anyway, sixteen, fours]
  }

  static func active(_ pool: WorkerPool, _ enough: Int) async throws -> Int {
    var sum = 0
    for try await square in pool.outputs(of: 0..., options: MapOptions(window: .items(2 * 4)), { $0 &* $0 }) {
      sum += square
      if square >= enough { break }
    }

    return sum
  }

  static func lifespan(_ pool: WorkerPool) async throws -> [Int] {
    let options = MapOptions(lifespan: MapOptions.Lifespan(items: 1))
    let squares = try await pool.map(0..<100, with: Square(), options: options)

    return squares
  }

  static func twoFunctions(_ pool: WorkerPool) async throws -> ([Int], [Int], [Int]) {
    let squares = try await pool.map(0..<100, with: Square())
    let again = try await pool.map(0..<100, with: Square())
    let products = try await pool.map(zip(0..<100, 100..<200), with: Multiply())

    return (squares, again, products)
  }

  static func results(_ pool: WorkerPool) async throws -> [Float] {
    let results = try SharedArray<Float>(count: 100, lock: false)
    try await pool.forEach(0..<100) { x in results[x] = Float(x * x) }

    return Array(results)
  }

  static func twoContainers(_ pool: WorkerPool) async throws -> ([Float], [Float], [Int]) {
    let squares = try SharedArray<Float>(count: 100, lock: false)
    let sums = try SharedArray<Float>(count: 100, lock: false)
    let remainders = try await pool.map(0..<100) { x in
      squares[x] = Float(x * x)
      sums[x] = Float(x + x)
      return x % 2
    }

    return (Array(squares), Array(sums), remainders)
  }

  static func byWorker(_ pool: WorkerPool) async throws -> Float {
    let sums = try SharedArray<Float>(count: pool.width, lock: false)
    try await pool.forEach(0..<100) { x in sums[WorkerContext.current!.slot] += Float(x * x) }

    return sums.reduce(0, +)
  }
}
