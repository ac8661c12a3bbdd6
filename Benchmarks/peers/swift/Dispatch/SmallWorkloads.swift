import Contract
import Dispatch
import Kernel

#if canImport(Glibc)
import Glibc
#endif

extension DispatchPeer {
  private static func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

  /// What one writes by hand: a thread that makes items, and a queue that takes them.
  static func liveInput(_ run: Run) {
    for (name, gap, count) in [("1ms", 1_000, 1_000), ("20ms", 20_000, 100), ("500ms", 500_000, 8)] {
      let work = DispatchQueue(label: "work", attributes: .concurrent)
      let results = DispatchQueue(label: "results")
      for sample in run.samples("W10.live.\(name)") {
        nonisolated(unsafe) var latencies: [UInt64] = []
        let group = DispatchGroup()
        for _ in 0..<count {
          usleep(UInt32(gap))
          let made = now()
          work.async(group: group) { results.async(group: group) { latencies.append(now() - made) } }
        }
        group.wait()
        let sorted = results.sync { latencies.sorted() }
        sample.report("p50", "s", Double(sorted[count / 2]) / 1e9)
        sample.report("p99", "s", Double(sorted[min(count - 1, count * 99 / 100)]) / 1e9)
      }
    }
  }

  /// Many small calls; the time is that of one.
  static func calls(_ run: Run, _ variant: String, items: Int, maps: Int) {
    for sample in run.samples(variant) {
      var isRight = true
      for _ in 0..<maps {
        let output = [Int](unsafeUninitializedCapacity: items) { buffer, initializedCount in
          nonisolated(unsafe) let buffer = buffer
          let parts = min(items, 2)
          DispatchQueue.concurrentPerform(iterations: parts) { part in
            for i in items * part / parts..<items * (part + 1) / parts { buffer[i] = squarePlusOne(i) }
          }
          initializedCount = items
        }
        isRight = output[items - 1] == squarePlusOne(items - 1) && isRight
      }
      sample.stop(per: maps)
      sample.check(isRight, "wrong results")
    }
  }

  private static func item(_ number: Int) -> UInt64 { spin(UInt64(number) &* 0x9E37_79B9_7F4A_7C15, rounds: 6_280) }

  static func nestedMaps(_ run: Run) {
    for sample in run.samples("W12.nested.serial") {
      let found = (0..<10_000).reduce(UInt64(0)) { $0 ^ item($1) }
      sample.stop()
      sample.check(found != 0, "wrong results")
    }
    for sample in run.samples("W12.nested.inner") {
      let found = [UInt64](unsafeUninitializedCapacity: 10_000) { buffer, initializedCount in
        nonisolated(unsafe) let buffer = buffer
        DispatchQueue.concurrentPerform(iterations: 100) { outer in
          DispatchQueue.concurrentPerform(iterations: 100) { buffer[outer * 100 + $0] = item(outer * 100 + $0) }
        }
        initializedCount = 10_000
      }
      sample.stop()
      sample.check(found.reduce(0, ^) != 0, "wrong results")
    }
  }

  static func firstCall(_ run: Run) {
    let count = 10_000_000
    let input = (0..<count).map(Int64.init)
    for sample in run.samples("W13") where sample.isFirst {
      let output = [Int64](unsafeUninitializedCapacity: count) { buffer, initializedCount in
        perform(over: count, into: buffer) { squarePlusOne(input[$0]) }
        initializedCount = count
      }
      sample.stop()
      sample.check(wrappingSum(output), is: 1_291_890_006_573_070_912)
    }
  }
}
