import Contract
import Kernel
import Millrace

/// W13, the first call: `parallelMap` of 10 million as the first thing that a program does. One repetition: the suite starts
/// the program anew for each.
func firstCall(_ run: Run) {
  let input = (0..<10_000_000).map(Int64.init)
  for sample in run.samples("W13") where sample.isFirst {
    let output = input.parallelMap(width: Run.workers) { squarePlusOne($0) }
    sample.stop()
    sample.check(wrappingSum(output), is: 1_291_890_006_573_070_912)
  }
}
