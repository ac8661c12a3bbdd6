import Contract
import Kernel

/// The peer `taskgroup`: a child task for each item, or for each of 64 chunks.
///
/// The cooperative pool is as wide as the machine; on more than two CPUs give it two with `taskset`.
@main
enum TaskGroupPeer {
  static func main() async {
    let run = Run(keys: ["W1": [], "W2": []])
    if run.workload == "W1" { await tinyMap(run) } else { await irregularMap(run) }
  }

  static let chunks = 64

  /// The elements of all chunks, joined in order: what a user of task groups writes for a map.
  @concurrent
  static func map<Element: Sendable>(_ count: Int, _ element: @escaping @Sendable (Int) -> Element) async -> [Element] {
    await withTaskGroup(of: (Int, [Element]).self) { group in
      for chunk in 0..<chunks {
        group.addTask { (chunk, (count * chunk / chunks..<count * (chunk + 1) / chunks).map(element)) }
      }
      var parts = [[Element]](repeating: [], count: chunks)
      for await (chunk, part) in group { parts[chunk] = part }
      var whole: [Element] = []
      whole.reserveCapacity(count)
      for part in parts { whole += part }
      return whole
    }
  }

  @concurrent
  static func fill<Element: Sendable>(
    _ output: UnsafeMutableBufferPointer<Element>, _ element: @escaping @Sendable (Int) -> Element
  ) async {
    let count = output.count
    // Each index is written once.
    nonisolated(unsafe) let output = output
    await withDiscardingTaskGroup { group in
      for chunk in 0..<chunks {
        group.addTask {
          for i in count * chunk / chunks..<count * (chunk + 1) / chunks { output[i] = element(i) }
        }
      }
    }
  }

  @concurrent
  static func fillOneByOne<Element: Sendable>(
    _ output: UnsafeMutableBufferPointer<Element>, _ element: @escaping @Sendable (Int) -> Element
  ) async {
    await withTaskGroup(of: (Int, Element).self) { group in
      for i in output.indices { group.addTask { (i, element(i)) } }
      for await (i, value) in group { output[i] = value }
    }
  }

  static func tinyMap(_ run: Run) async {
    let count = 10_000_000
    let checksum: UInt64 = 1_291_890_006_573_070_912
    let input = (0..<count).map(Int64.init)
    let square: @Sendable (Int) -> Int64 = { squarePlusOne(input[$0]) }
    for sample in run.samples("W1.fresh") {
      let output = await map(count, square)
      sample.stop()
      sample.check(wrappingSum(output), is: checksum)
    }
    let output = UnsafeMutableBufferPointer<Int64>.allocate(capacity: count)
    defer { output.deallocate() }
    output.initialize(repeating: 1)
    for sample in run.samples("W1.reuse") {
      await fill(output, square)
      sample.stop()
      sample.check(wrappingSum(output), is: checksum)
      output.update(repeating: 1)
    }
    let items = UnsafeMutableBufferPointer(rebasing: output[..<1_000_000])
    for sample in run.samples("W1.item") {
      await fillOneByOne(items, square)
      sample.stop()
      sample.check(wrappingSum(items), is: 333_332_833_334_500_000)
      items.update(repeating: 1)
    }
  }

  static func irregularMap(_ run: Run) async {
    for (order, checksum) in [
      ("shuffled", 7_601_073_114_737_665_251), ("ascending", 4_476_588_077_045_495_321 as UInt64),
    ] {
      let items = SpinItem.pareto(ascending: order == "ascending")
      let result: @Sendable (Int) -> UInt64 = { items[$0].result }
      for sample in run.samples("W2.\(order).serial") {
        let results = items.map(\.result)
        sample.stop()
        sample.check(results.reduce(0, ^), is: checksum)
      }
      let output = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: items.count)
      defer { output.deallocate() }
      output.initialize(repeating: 0)
      for sample in run.samples("W2.\(order).item") {
        await fillOneByOne(output, result)
        sample.stop()
        sample.check(output.reduce(0, ^), is: checksum)
        output.update(repeating: 0)
      }
      for sample in run.samples("W2.\(order).chunks64") {
        let results = await map(items.count, result)
        sample.stop()
        sample.check(results.reduce(0, ^), is: checksum)
      }
    }
  }
}
