import Millrace
import MillraceTesting
import TestSupport
import Testing

/// How many were asked for, and which of them this is.
private struct Numbered: Stage, Codable {
  func setUp(_ context: StageContext, _ out: Outlet<Int>) -> Int { context.instance }
  func process(_ item: Int, state instance: inout Int, _ out: Outlet<Int>) async throws { try await out.put(instance) }
}

private struct Sum: StatelessWorker, Codable {
  func process(_ batch: [Int]) -> Int { batch.reduce(0, +) }
}

extension Checked {
  /// Lines that do not say of which items they are, wherever a line may be.
  @Suite(.timeLimit(.minutes(1))) struct UntypedLines {
    /// What a program prints behind one of its lines, sorted.
    private static func printed(_ backend: String) throws -> [String: [String]] {
      let program = try TestProgram(["printed", backend])
      var (lines, title): ([String: [String]], String) = ([:], "")
      for line in program.rest() {
        if ["X1", "X3", "X4", "end"].contains(line) { title = line } else { lines[title, default: []].append(line) }
      }
      _ = program.wait()
      return lines.mapValues { $0.sorted() }
    }

    @Test(
      "X1, X3, X4 as written: what Print and Stamp print, alone, each by one of two, and by both",
      arguments: ThreadSanitizer.isOn ? ["serial", "tasks", "threads"] : ["serial", "tasks", "threads", "forkServer"])
    func printed(backend: String) throws {
      let lines = try Self.printed(backend)
      let first = (1...3).flatMap { ["Processing item \($0)", "item \($0)", "no. \($0)"] }
      #expect(lines["X1"] == first.sorted())
      // Five in all, each from one of the two.
      #expect(lines["X3"]?.map { $0.dropFirst(2) }.sorted() == ["1", "2", "3", "4", "5"])
      #expect(lines["X3"]?.allSatisfy { $0.hasPrefix("A ") || $0.hasPrefix("B ") } == true)
      #expect(lines["X4"] == (1...5).map { "A \($0)" } + (1...5).map { "B \($0)" })
    }

    @Test(
      "U327: what cannot be printed is an error", arguments: ["serial", "threads"], ["full", "closed"])
    func printedNowhere(backend: String, output: String) throws {
      let program = try TestProgram(["printsNowhere", backend, output])
      let lines = program.rest()
      #expect(program.wait() == 0)
      let error = output == "full" ? "No space left on device (errno 28)" : "Bad file descriptor (errno 9)"
      #expect(lines.count == 4)
      for line in lines { #expect(line.hasSuffix("printing: \(error)"), "\(line)") }
      // Where output goes on line by line, items fail; and where there is as much as that, anywhere.
      for line in lines.suffix(2) { #expect(line.contains("ItemFailure"), "\(line)") }
    }

    @Test("X3, X4 what goes through them comes out", arguments: Backends.all)
    func groups(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let side: Pipeline<Nothing, Int> = Pipeline {
          Items(1...50)
          AnyOf {
            Print("x3 ")
            Take(1_000)
          }
        }
        let any = try await side.list(on: pool)
        #expect(any.sorted() == Array(1...50))
        let both: Pipeline<Nothing, Int> = Pipeline {
          Items(1...5)
          Broadcast {
            Stamp("x4")
            Throttle(1_000, per: .milliseconds(1))
          }
        }
        let twice = try await both.list(on: pool)
        #expect(twice == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
        // One that says of which items it is does for all, wherever it stands.
        let first: Pipeline<Nothing, Int> = Pipeline {
          Items(1...5)
          Broadcast {
            Print("x4 ")
            AddX(amount: 10)
          }
        }
        let last: Pipeline<Nothing, Int> = Pipeline {
          Items(1...5)
          Broadcast {
            AddX(amount: 10)
            Print("x4 ")
          }
        }
        let (before, behind) = (try await first.list(on: pool), try await last.list(on: pool))
        #expect(before == (1...5).flatMap { [$0, $0 + 10] } && behind == (1...5).flatMap { [$0 + 10, $0] })
      }
    }

    @Test(
      "they are the first line of whatever holds lines, and all of them", arguments: Backends.all.able(.runsClosures))
    func first(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          Items(1...20)
          Parallel(2) {
            Print("first ")
            AddX(amount: 1)
          }
          Parallel(2) { Print("alone ") }
          Serial { Stamp("serial") }
          Tee { Print("tee ") }
          Tee { Batched(3) }
          Serial {
            Take(10)
            Batched(5)
          }
          Serial {
            Batched(2)
            Print("batches ")
            FlatMap { (batches: [[Int]]) in batches }
          }
          FlatMap { (batch: [Int]) in batch }
        }
        let found = try await pipeline.list(on: pool)
        #expect(found == Array(2...11))
        let rows: Pipeline<Nothing, (Int, Int, Int)> = Pipeline {
          Items(1...5)
          Zip {
            Print("zip ")
            AddX(amount: 10)
            Take(3)
          }
        }
        let zipped = try await rows.list(on: pool).map { "\($0)" }
        #expect(zipped == ["(1, 11, 1)", "(2, 12, 2)", "(3, 13, 3)"])
        let batches: Pipeline<Nothing, (Int, [Int])> = Pipeline {
          Items(1...4)
          Zip {
            Map { (item: Int) in item }
            Batched(2)
          }
        }
        let withBatches = try await batches.list(on: pool).map { "\($0)" }
        #expect(withBatches == ["(1, [1, 2])", "(2, [3, 4])"])
      }
    }

    @Test("a pipeline of nothing else has its type from where it stands")
    func whole() async throws {
      let printing: Pipeline<Int, Int> = Pipeline { Print("whole ") }
      let batching: Pipeline<Int, [Int]> = Parallel(1) { Batched(2) }
      let (items, batches) = (try await printing.list(of: 1...3), try await batching.list(of: 1...3))
      #expect(items == [1, 2, 3] && batches == [[1, 2], [3]])
      let rows = Zip {
        Pipeline<Int, Int> { Print("zip ") }
        Print("zap ")
      }
      let zipped = try await rows.list(of: 1...2).map { "\($0)" }
      #expect(zipped == ["(1, 1)", "(2, 2)"])
      let sums = Pipeline<Int, Int> {
        Batched(2)
        Sum()
      }
      let found = try await sums.list(of: 1...5)
      #expect(found == [3, 7, 5])
    }

    @Test(
      "X10, X11 As and By of stages: each instance has a number, and slots of its own",
      arguments: Backends.apart.able(.runsClosures))
    func stages(backend: WorkerPool.Backend) async throws {
      guard backend.kind.widths.upperBound >= 3 else { return }
      try await withWorkerPool(backend) { pool in
        for group in [
          As(3, Numbered()), Parallel(3) { Numbered() }, Pipeline { AddX(amount: 0) }.parallel(3, Numbered()),
        ] {
          let outputs = try await group.list(of: 0..<300, on: pool)
          #expect(outputs.count == 300 && Set(outputs).isSubset(of: [0, 1, 2]))
        }
        let each = try await By(3, Tallying()).list(of: 1...4, order: .completion, on: pool)
        #expect(each.sorted() == [-4, -4, -4, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          Items(1...4)
          As(2, Print("as "))
          By(2, Stamp("by"))
        }
        let twice = try await pipeline.list(on: pool)
        #expect(twice == [1, 1, 2, 2, 3, 3, 4, 4])
        #expect(pipeline.layout().contains("Print ×2"))
      }
    }
  }
}
