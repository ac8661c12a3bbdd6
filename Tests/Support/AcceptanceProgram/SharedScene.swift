import Millrace

#if canImport(Glibc)
import Glibc
#endif

/// What is lent to workers while something happens to them.
struct Lent: Codable, Sendable {
  var index: Int
  var array: SharedArray<Int>
  var total: SharedValue<Int>
  var queue: SharedQueue<String>
}

/// What comes back: an array that the worker has made.
struct Returned: Codable, Sendable, Equatable {
  var index: Int
  var made: SharedArray<Int>

  static func == (one: Returned, other: Returned) -> Bool {
    one.index == other.index && one.made.elementsEqual(other.made)
  }
}

struct Borrow: StatelessWorker {
  func process(_ lent: Lent) throws -> Returned {
    lent.array[lent.index] = lent.index
    lent.total.withLock { $0 += 1 }
    lent.total.clearPoison()
    try lent.queue.push("\(lent.index)")
    _ = try lent.queue.pop(within: .zero)
    return Returned(index: lent.index, made: try SharedArray([lent.index, 2 * lent.index]))
  }
}

/// Fills its array, and says how many shared objects its process has.
struct FillAll: StatelessWorker {
  func process(_ arrays: [SharedArray<UInt8>]) throws -> Int {
    for (index, array) in arrays.enumerated() { array[0] = UInt8(truncatingIfNeeded: index) }
    return arrays.count
  }
}

extension AcceptanceProgram {
  static func lent(_ count: Int) throws -> [Lent] {
    let array = try SharedArray<Int>(count: count)
    let total = try SharedValue(0)
    let queue = try SharedQueue<String>(capacity: 1_000)
    return (0..<count).map { Lent(index: $0, array: array, total: total, queue: queue) }
  }

  /// More shared objects than there are descriptors, in this program and in its workers.
  static func crowdedWithObjects(_ backend: WorkerPool.Backend, _ free: Int32) async throws {
    try await Task.sleep(for: .milliseconds(1))
    let next = dup(1)
    close(next)
    var limit = rlimit(rlim_cur: rlim_t(next + free), rlim_max: rlim_t(next + free))
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var arrays: [SharedArray<UInt8>] = []
    do {
      while arrays.count < 10_000 { arrays.append(try SharedArray(count: 1)) }
    } catch {
      say("\(error)".replacing(#/\d+ bytes/#, with: "some bytes"))
    }
    // Room for a pool.
    arrays.removeLast(min(arrays.count, 80))
    let sent = arrays
    try await withWorkerPool(backend) { pool in
      let counts = try await pool.map([sent, sent], with: FillAll())
      say(counts == [sent.count, sent.count] ? "all were filled" : "\(counts)")
      // And as many that the workers make, of which this program keeps all.
      let made = try await pool.map(0..<3 * sent.count, with: MakeOne())
      let isRight = made.enumerated().allSatisfy { $1[0] == UInt8(truncatingIfNeeded: $0) }
      say(isRight ? "all were made" : "some are wrong")
    }
    say(sent.enumerated().allSatisfy { $1[0] == UInt8(truncatingIfNeeded: $0) } ? "right" : "wrong")
  }
}

struct MakeOne: StatelessWorker {
  func process(_ item: Int) throws -> SharedArray<UInt8> { try SharedArray([UInt8(truncatingIfNeeded: item)]) }
}
