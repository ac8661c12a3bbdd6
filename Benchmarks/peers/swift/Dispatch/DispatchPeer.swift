import Contract
import Dispatch
import Kernel

/// The peer `dispatch`: `DispatchQueue.concurrentPerform`, over items and over chunks.
///
/// It is as wide as the machine; on more than two CPUs give it two with `taskset`.
@main
enum DispatchPeer {
  static func main() {
    let run = Run(keys: ["W1": [], "W2": [], "W10": [], "W11": [], "W12": [], "W13": [], "W14": []])
    switch run.workload {
    case "W1": tinyMap(run)
    case "W2": irregularMap(run)
    case "W10": liveInput(run)
    case "W11": calls(run, "W11.one", items: 2, maps: 10_000)
    case "W12": nestedMaps(run)
    case "W13": firstCall(run)
    default:
      calls(run, "W14.thousand", items: 1_000, maps: 512)
      calls(run, "W14.one", items: 1, maps: 2_048)
    }
  }

  /// As many as keep two threads busy to the end, and few enough to cost nothing.
  static let chunks = 64

  static func perform<Element>(
    over count: Int, into output: UnsafeMutableBufferPointer<Element>, _ element: @Sendable (Int) -> Element
  ) {
    // Each index is written once.
    nonisolated(unsafe) let output = output
    DispatchQueue.concurrentPerform(iterations: chunks) { chunk in
      for i in count * chunk / chunks..<count * (chunk + 1) / chunks { output[i] = element(i) }
    }
  }

  static func tinyMap(_ run: Run) {
    let count = 10_000_000
    let input = (0..<count).map(Int64.init)
    for sample in run.samples("W1.fresh.serial") {
      let output = [Int64](unsafeUninitializedCapacity: count) { buffer, initializedCount in
        for i in 0..<count { buffer[i] = squarePlusOne(input[i]) }
        initializedCount = count
      }
      sample.stop()
      sample.check(wrappingSum(output), is: 1_291_890_006_573_070_912)
    }
    for sample in run.samples("W1.fresh") {
      let output = [Int64](unsafeUninitializedCapacity: count) { buffer, initializedCount in
        perform(over: count, into: buffer) { squarePlusOne(input[$0]) }
        initializedCount = count
      }
      sample.stop()
      sample.check(wrappingSum(output), is: 1_291_890_006_573_070_912)
    }
    var output = [Int64](repeating: 1, count: count)
    output.withUnsafeMutableBufferPointer { buffer in
      for sample in run.samples("W1.reuse.serial") {
        for i in 0..<count { buffer[i] = squarePlusOne(input[i]) }
        sample.stop()
        sample.check(wrappingSum(buffer), is: 1_291_890_006_573_070_912)
        buffer.update(repeating: 1)
      }
      for sample in run.samples("W1.reuse") {
        perform(over: count, into: buffer) { squarePlusOne(input[$0]) }
        sample.stop()
        sample.check(wrappingSum(buffer), is: 1_291_890_006_573_070_912)
        buffer.update(repeating: 1)
      }
      let items = 1_000_000
      nonisolated(unsafe) let buffer = buffer
      for sample in run.samples("W1.item") {
        DispatchQueue.concurrentPerform(iterations: items) { buffer[$0] = squarePlusOne(input[$0]) }
        sample.stop()
        sample.check(wrappingSum(buffer[..<items]), is: 333_332_833_334_500_000)
        buffer.update(repeating: 1)
      }
    }
  }

  static func irregularMap(_ run: Run) {
    for (order, checksum) in [
      ("shuffled", 7_601_073_114_737_665_251), ("ascending", 4_476_588_077_045_495_321 as UInt64),
    ] {
      let items = SpinItem.pareto(ascending: order == "ascending")
      for sample in run.samples("W2.\(order).serial") {
        let results = items.map(\.result)
        sample.stop()
        sample.check(results.reduce(0, ^), is: checksum)
      }
      for sample in run.samples("W2.\(order).item") {
        let results = [UInt64](unsafeUninitializedCapacity: items.count) { buffer, initializedCount in
          nonisolated(unsafe) let buffer = buffer
          DispatchQueue.concurrentPerform(iterations: items.count) { buffer[$0] = items[$0].result }
          initializedCount = items.count
        }
        sample.stop()
        sample.check(results.reduce(0, ^), is: checksum)
      }
      for sample in run.samples("W2.\(order).chunks64") {
        let results = [UInt64](unsafeUninitializedCapacity: items.count) { buffer, initializedCount in
          perform(over: items.count, into: buffer) { items[$0].result }
          initializedCount = items.count
        }
        sample.stop()
        sample.check(results.reduce(0, ^), is: checksum)
      }
    }
  }
}
