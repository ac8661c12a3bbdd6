import Millrace
import TestSupport

/// Ways of having workers beside which the same code shares memory.
enum Sharing {
  static let backends = [
    WorkerPool.Backend.serial, .tasks(3), .threads(3), .processes(3), Backends.spawning, Backends.forking,
    Backends.crowded,
  ].runnable

  static let processes = backends.able(.survivesCrashes)
  static let wide = backends.filter { $0.kind.widths.upperBound > 1 }
}

/// The array is its configuration.
struct Squares: StatelessWorker, Codable {
  var array: SharedArray<Int>

  func process(_ item: Int) -> Int {
    array[item] = item * item
    return array.count
  }
}

/// An item with the array in it, and what else an item may have.
struct Share: Codable, Sendable {
  var name: String
  var array: SharedArray<Float>
  var range: Range<Int>
}

struct Fill: StatelessWorker {
  func process(_ share: Share) -> Share {
    share.array.withMutableSpan { elements in
      for index in share.range { elements[index] = Float(index) }
    }
    return share
  }
}

/// Everything that is shared, in one item.
struct Everything: Codable, Sendable {
  var array: SharedArray<Int>
  var total: SharedValue<Double>
  var counter: SharedCounter
  var flag: SharedFlag
}

struct UseEverything: StatelessWorker {
  func process(_ item: Everything) -> Int {
    item.array.withLock { $0[0] += 1 }
    item.total.withLock { $0 += 0.5 }
    item.flag.set()
    return item.counter.increment()
  }
}
