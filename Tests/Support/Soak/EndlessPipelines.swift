import Foundation
import Millrace
import TestSupport

/// Pipelines that never end, taken from by somebody who is late now and then: neither what is under way nor what the program holds grows.
enum EndlessPipelines {
  private static let quiet = WorkerPool.ProcessOptions(environment: ["SWIFT_BACKTRACE": "enable=no"])

  /// Each for its part of the time.
  static func soak(_ seconds: Double) async throws {
    var isRight = true
    let kinds: [(String, WorkerPool.Backend)] = [("threads", .threads(2)), ("processes", .processes(2, quiet))]
    for (name, backend) in kinds {
      try await withWorkerPool(backend) { pool in
        for (form, pipeline) in [("fused", fused), ("apart", apart)] {
          let (source, line) = pipeline()
          let run = try await take(line, from: source, on: pool, for: seconds / 4)
          print("\(name), \(form): \(run.count) items, at most \(run.worst) under way of \(run.bound)")
          for sample in run.samples { print(sample) }
          let isFlat = run.samples.isEmpty || run.samples.last!.isNoMore(than: run.samples.first!)
          if !isFlat { print("it has grown") }
          isRight = isRight && isFlat && run.worst <= run.bound
        }
      }
    }
    exit(isRight ? 0 : 1)
  }

  private static func fused() -> (EndlessCount, Pipeline<Nothing, Int>) {
    let source = EndlessCount()
    return (source, Pipeline { source }.map(with: Step()).map(with: Step()).map(with: Step()))
  }

  /// Each stage a job of its own.
  private static func apart() -> (EndlessCount, Pipeline<Nothing, Int>) {
    let source = EndlessCount()
    let step = Pipeline<Int, Int> { Step() }.options(StageOptions())
    return (source, Pipeline { source }.through(step).through(Pipeline { Sort<Int>(within: 8) }).through(step))
  }

  private struct Run {
    var count = 0
    var worst = 0
    var bound: Int
    var samples: [Sample] = []
  }

  private static func take(
    _ pipeline: Pipeline<Nothing, Int>, from source: EndlessCount, on pool: WorkerPool, for seconds: Double
  ) async throws -> Run {
    let words = pipeline.layout(on: pool).split(separator: "\n").last?.split(separator: " ") ?? []
    var run = Run(bound: words.compactMap { Int($0) }.first ?? 0)
    let end = ContinuousClock.now + .seconds(seconds)
    // What is made once, and the windows, are there after the first tenth.
    var next = ContinuousClock.now + .seconds(seconds / 10)
    for try await number in pipeline.outputs(on: pool) {
      if number != run.count {
        print("item \(run.count) came as \(number)")
        run.worst = .max
        break
      }
      run.count += 1
      run.worst = max(run.worst, source.made.value - run.count)
      guard run.count % 10_000 == 0 else { continue }
      if run.count % 1_000_000 == 0 { usleep(100_000) }
      if ContinuousClock.now >= next {
        run.samples.append(Sample())
        next += .seconds(seconds / 10)
      }
      if ContinuousClock.now >= end { break }
    }
    return run
  }
}

private struct Step: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item }
}
