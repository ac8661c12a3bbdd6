import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Which file an item comes from: mpyx' example of meta.
enum FileName: MetaKey { typealias Value = String }
enum Mark: MetaKey { typealias Value = Int }

/// Numbers, each of a file of its own.
private struct NumberedFiles: Source {
  static var setsMeta: Bool { true }
  var count: Int

  func produce(_ out: Outlet<Int>) async throws {
    for number in 1...count { try await out.put(number) { $0[FileName.self] = "file \(number)" } }
  }
}

/// Says of which file its item is.
private struct SaysFile: StatelessWorker, Codable {
  func process(_ item: Int) -> String { "\(Meta.current[FileName.self] ?? "none"): \(item)" }
}

/// Says of which file each item of a batch is.
private struct SaysFiles: StatelessWorker, Codable {
  func process(_ batch: [String]) -> [String] {
    zip(batch, Meta.current.parts).map { "\($0) of \($1[FileName.self] ?? "none")" }
  }
}

/// Gives each item another file's name, and a mark.
struct Renames: Stage, Codable {
  static var setsMeta: Bool { true }
  func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) async throws {
    try await out.put(item) { meta in
      meta[FileName.self] = "renamed \(item)"
      meta[Mark.self] = item
    }
  }
}

/// What cannot travel.
private final class Handle: Sendable {}
private enum HandleKey: MetaKey { typealias Value = Handle }

/// Gives each third item what cannot travel.
private struct Handles: Source {
  static var setsMeta: Bool { true }
  func produce(_ out: Outlet<Int>) async throws {
    for number in 0..<9 {
      try await out.put(number) { meta in
        meta[FileName.self] = "file \(number)"
        if number % 3 == 1 { meta[HandleKey.self] = Handle() }
      }
    }
  }
}

private struct Forgets: Source {
  func produce(_ out: Outlet<Int>) async throws { try await out.put(1) { $0[Mark.self] = 1 } }
}

extension Checked {
  @Suite(.timeLimit(.minutes(1))) struct MetaCases {
    @Test(
      "X20 each item has its own file's name, also behind what is parallel, broadcast and a batch",
      arguments: Backends.everything.able(.runsClosures))
    func x20(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, [String]> = Pipeline {
          NumberedFiles(count: 40)
          Parallel(3) { AddX(amount: 100) }
          Broadcast {
            AddX(amount: 0)
            AddX(amount: 1_000)
          }
          Filter { (item: Int) in item % 10 > 0 }
          FlatMap { (item: Int) in [item, -item] }
          Print("x20 ")
          SaysFile()
          Batched(3)
          SaysFiles()
        }
        var expected: [String] = []
        for number in 1...40 {
          for item in [number + 100, number + 1_100] where item % 10 > 0 {
            expected += [item, -item].map { "file \(number): \($0) of file \(number)" }
          }
        }
        let found = try await pipeline.list(on: pool)
        #expect(Array(found.joined()) == expected)
        #expect(found.first?.count == 3)
      }
    }

    @Test("a row has what its branches say, of which the earlier's word holds", arguments: Backends.all)
    func rows(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        func metas(_ pipeline: Pipeline<Nothing, (Int, Int)>) async throws -> [String] {
          var metas: [String] = []
          for try await outcome in pipeline.outcomes(on: pool) {
            metas.append("\(outcome.meta[FileName.self] ?? "none") \(outcome.meta[Mark.self] ?? 0)")
          }
          return metas
        }
        let earlier: Pipeline<Nothing, (Int, Int)> = Pipeline {
          NumberedFiles(count: 20)
          Zip {
            AddX(amount: 1)
            Renames()
          }
        }
        let later: Pipeline<Nothing, (Int, Int)> = Pipeline {
          NumberedFiles(count: 20)
          Zip {
            Renames()
            AddX(amount: 1)
          }
        }
        let (first, second) = (try await metas(earlier), try await metas(later))
        #expect(first == (1...20).map { "file \($0) \($0)" })
        #expect(second == (1...20).map { "renamed \($0) \($0)" })
      }
    }

    /// The names of files, or their parts', of those that failed, by their items.
    private func failed<Output>(_ outcomes: PipelineOutcomes<Output>) async throws -> [String] {
      var lines: [String] = []
      for try await outcome in outcomes {
        if case .success = outcome.result { continue }
        let own = outcome.meta[FileName.self].map { [$0] } ?? []
        let parts = outcome.meta.parts.map { $0[FileName.self] ?? "none" }
        let mark = outcome.meta[Mark.self].map { [" \($0)"] } ?? []
        lines.append("\(outcome.index): " + (own + parts).joined(separator: ", ") + mark.joined())
      }
      return lines
    }

    @Test(
      "a failed item keeps what travelled beside it, wherever it failed",
      arguments: Backends.everything.able(.runsClosures))
    func ofFailed(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let picky = Picky(modulus: 5, remainder: 2)
        // With others in one station, in one of its own, in one instance, and behind and before others.
        let fused = Pipeline { NumberedFiles(count: 20) }.map(with: AddX(amount: 0)).map(with: picky)
        let alone = Pipeline { NumberedFiles(count: 20) }.stage(Tap("See") { _ in }).map(with: picky)
          .stage(Tap("See") { _ in }).map(with: AddX(amount: 1))
        let serial: Pipeline<Nothing, Int> = Pipeline {
          NumberedFiles(count: 20)
          Serial { picky }
          Print("meta ")
        }
        let expected = [2, 7, 12, 17].map { "\($0 - 1): file \($0)" }
        for pipeline in [fused, alone, serial] {
          let found = try await failed(pipeline.outcomes(on: pool))
          #expect(found == expected)
        }
        // A failed batch has that of each of its items.
        let batches = Pipeline { NumberedFiles(count: 8) }.batch(2).map { (batch: [Int]) in
          if batch.contains(5) { throw Refused(item: 5) }
          return batch
        }
        let ofBatches = try await failed(batches.outcomes(on: pool))
        #expect(ofBatches == ["4: file 5, file 6"])
      }
    }

    @Test("a row of which a part has failed has what all of its branches say", arguments: Backends.all)
    func ofFailedRows(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let picky = Picky(modulus: 5, remainder: 2)
        let earlier: Pipeline<Nothing, (Int, Int)> = Pipeline {
          NumberedFiles(count: 10)
          Zip {
            picky
            Renames()
          }
        }
        let later: Pipeline<Nothing, (Int, Int)> = Pipeline {
          NumberedFiles(count: 10)
          Zip {
            Renames()
            picky
          }
        }
        let (first, second) = (try await failed(earlier.outcomes(on: pool)), try await failed(later.outcomes(on: pool)))
        #expect(first == ["1: file 2 2", "6: file 7 7"])
        #expect(second == ["1: renamed 2 2", "6: renamed 7 7"])
      }
    }

    @Test("so does one whose worker has died of it", arguments: Backends.isolating)
    func ofDead(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline { NumberedFiles(count: 8) }.map(with: AddX(amount: 0)).map { (item: Int) in
          item == 5 ? [Int]()[item] : item
        }
        let found = try await failed(pipeline.outcomes(on: pool))
        #expect(found == ["4: file 5"])
      }
    }

    @Test("a batch by time has that of each of its items", arguments: Backends.all.able(.runsClosures))
    func timed(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline { NumberedFiles(count: 7) }.map(with: AddX(amount: 0)).map { "\($0)" }
          .batch(3, within: .seconds(100)).map(with: SaysFiles())
        let found = try await pipeline.list(on: pool)
        #expect(found.map(\.count) == [3, 3, 1])
        #expect(Array(found.joined()) == (1...7).map { "\($0) of file \($0)" })
      }
    }

    @Test("what cannot travel to a worker process fails its item, and stays with it", arguments: Backends.all)
    func untransportable(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline { Handles() }.map(with: AddX(amount: 10))
        var (outputs, failed): ([Int], [Int]) = ([], [])
        for try await outcome in pipeline.outcomes(on: pool) {
          #expect(outcome.meta[FileName.self] == "file \(outcome.index)")
          switch outcome.result {
          case .success(let output): outputs.append(output)
          case .failure(let failure):
            failed.append(outcome.index)
            #expect(outcome.meta[HandleKey.self] != nil)
            #expect("\(failure)".contains("HandleKey"))
          }
        }
        if pool.sharesMemory {
          #expect(outputs == Array(10..<19) && failed == [])
        } else {
          #expect(outputs == [10, 12, 13, 15, 16, 18] && failed == [1, 4, 7])
        }
      }
    }

    @Test("stages that are asked to say so note how long they worked on each item", arguments: Backends.all)
    func timings(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline { Items(1...10) }.map(with: AddX(amount: 1)).stage(Tap("Look") { _ in })
          .options(StageOptions(recordsTimings: true)).map(with: AddX(amount: 1))
        for try await outcome in pipeline.outcomes(on: pool) {
          #expect(outcome.meta.timings.map(\.stage) == ["AddX", "Look"])
          #expect(outcome.meta.timings.allSatisfy { $0.duration >= .zero && $0.duration < .seconds(30) })
        }
      }
    }

    @Test("meta that nobody has said he sets is refused, and the source named")
    func forgotten() async throws {
      let error = await #expect(throws: PipelineError.self) { try await Pipeline { Forgets() }.run() }
      #expect(error?.kind == .sourceFailed && error?.stage.name == "Forgets")
      #expect("\(error!)".contains("setsMeta"))
    }

    @Test("an open input has none at first, and outside of stages there is none", arguments: Backends.all)
    func open(backend: WorkerPool.Backend) async throws {
      #expect(Meta.current.isEmpty)
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline<Int, String> {
          AddX(amount: 1)
          Renames()
          SaysFile()
        }
        let found = try await pipeline.list(of: 1...5, on: pool)
        #expect(found == (2...6).map { "renamed \($0): \($0)" })
      }
    }
  }
}
