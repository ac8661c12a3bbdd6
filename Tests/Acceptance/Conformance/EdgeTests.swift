import Millrace
import MillraceIPC
import TestSupport
import Testing

private struct Spell: StatelessWorker {
  func process(_ item: Int) -> String { "number \(item)" }
}

private struct Measure: StatelessWorker {
  func process(_ item: String) -> Int { item.utf8.count }
}

extension Checked {
  @Suite("Edges: the outputs of one job are the items of another") struct Edges {
    /// The writer's pool and the reader's.
    static let pairs: [(WorkerPool.Backend, WorkerPool.Backend)] = {
      let threads = WorkerPool.Backend.threads(3)
      let others = Backends.Conforming.all.filter { $0.description != threads.description }
      return [(threads, threads)] + others.flatMap { [($0, threads), (threads, $0)] }
    }()

    private func with(
      _ writer: WorkerPool.Backend, _ reader: WorkerPool.Backend, _ body: (WorkerPool, WorkerPool) async throws -> Void
    ) async throws {
      try await withWorkerPool(writer) { writer in
        try await withWorkerPool(reader) { reader in try await body(writer, reader) }
      }
    }

    @Test("they are, in order, on one pool", arguments: Backends.Conforming.all.each(with: [0, 1, 10_000]))
    func onePool(backend: WorkerPool.Backend, count: Int) async throws {
      try await withWorkerPool(backend) { pool in
        let edge = Edge<Int>()
        _ = try pool.begin(ItemSource(0..<count), with: AddOne(), into: edge)
        var outputs: [Int] = []
        for try await output in pool.outputs(of: edge, with: Times(factor: 2)) { outputs.append(output) }
        #expect(outputs == (0..<count).map { ($0 + 1) * 2 })
      }
    }

    @Test("they are, in order, between two pools", arguments: pairs)
    func twoPools(writer: WorkerPool.Backend, reader: WorkerPool.Backend) async throws {
      try await with(writer, reader) { writer, reader in
        let edge = Edge<String>()
        _ = try writer.begin(ItemSource(lazily(Array(0..<2_000))), with: Spell(), into: edge)
        var outputs: [Int] = []
        for try await output in reader.outputs(of: edge, with: Measure()) { outputs.append(output) }
        #expect(outputs == (0..<2_000).map { "number \($0)".utf8.count })
      }
    }

    @Test("never more is between the ends than both windows hold", arguments: pairs)
    func windows(writer: WorkerPool.Backend, reader: WorkerPool.Backend) async throws {
      try await with(writer, reader) { writer, reader in
        for chunk in [1, 3] {
          let (edge, input) = (Edge<Int>(), Endless())
          let chunking = MapOptions.Chunking.size(chunk)
          _ = try writer.begin(
            ItemSource(input), with: AddOne(), into: edge, options: MapOptions(chunking: chunking, window: .items(9)))
          var taken = 0
          let options = MapOptions(chunking: chunking, window: .items(6))
          for try await output in reader.outputs(of: edge, with: AddOne(), options: options) {
            #expect(output == taken + 2)
            taken += 1
            #expect(input.drawn.value <= taken + 15)
            if taken == 200 { break }
          }
        }
      }
    }

    @Test("both windows are used to the full while the consumer rests")
    func readsAhead() async throws {
      try await with(.threads(2), .threads(2)) { writer, reader in
        let (edge, input) = (Edge<Int>(), Endless())
        let one = MapOptions.Chunking.size(1)
        _ = try writer.begin(
          ItemSource(input), with: AddOne(), into: edge, options: MapOptions(chunking: one, window: .items(9)))
        var iterator = reader.outputs(
          of: edge, with: AddOne(), options: MapOptions(chunking: one, window: .items(6))
        ).makeAsyncIterator()
        #expect(try await iterator.next() == 2)
        while input.drawn.value < 15 { await Task.yield() }
      }
    }

    @Test("who leaves the loop, or fails, gives up the writer", arguments: pairs)
    func readerEnds(writer: WorkerPool.Backend, reader: WorkerPool.Backend) async throws {
      try await with(writer, reader) { writer, reader in
        let edge = Edge<Int>()
        _ = try writer.begin(ItemSource(Endless()), with: Times(factor: 1), into: edge)
        for try await output in reader.outputs(of: edge, with: AddOne()) where output == 50 { break }
        // It returns when the maps that use the worker are over.
        _ = try await writer.tearDown(Times(factor: 1))

        let other = Edge<Int>()
        _ = try writer.begin(ItemSource(Endless()), with: Times(factor: 1), into: other)
        let failure = await #expect(throws: ItemFailure.self) {
          for try await _ in reader.outputs(of: other, with: Picky(modulus: 1_000_000, remainder: 39)) {}
        }
        #expect(failure?.index == 39)
        _ = try await writer.tearDown(Times(factor: 1))
      }
    }

    @Test("the writer's failure, its input's error and its cancellation end the reader", arguments: pairs)
    func writerEnds(writer: WorkerPool.Backend, reader: WorkerPool.Backend) async throws {
      try await with(writer, reader) { writer, reader in
        let failing = Edge<Int>()
        _ = try writer.begin(ItemSource(Endless()), with: Picky(modulus: 1_000_000, remainder: 39), into: failing)
        let failure = await #expect(throws: ItemFailure.self) {
          for try await _ in reader.outputs(of: failing, with: AddOne()) {}
        }
        #expect(failure?.index == 39)

        let broken = Edge<Int>()
        _ = try writer.begin(ItemSource(Numbers(count: 5, throwsAtEnd: true)), with: AddOne(), into: broken)
        var outputs: [Int] = []
        _ = await #expect(throws: Refused.self) {
          for try await output in reader.outputs(of: broken, with: AddOne()) { outputs.append(output) }
        }
        #expect(outputs == Array(2..<7))

        let cancelled = Edge<Int>()
        let job = try writer.begin(ItemSource(Endless()), with: AddOne(), into: cancelled)
        _ = await #expect(throws: CancellationError.self) {
          for try await output in reader.outputs(of: cancelled, with: AddOne()) where output == 50 {
            writer.cancel(job)
          }
        }
      }
    }

    @Test("an item that fails, and may, leaves no hole", arguments: Backends.Conforming.all)
    func skipped(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let failures = Lock<[Int]>([])
        let edge = Edge<Int> { failure in failures.withLock { $0.append(failure.index) } }
        let worker = Picky(modulus: 7, remainder: 3)
        _ = try pool.begin(ItemSource(0..<500), with: worker, into: edge, onFailure: .skip)
        var outputs: [Int] = []
        for try await output in pool.outputs(of: edge, with: AddOne()) { outputs.append(output) }
        #expect(outputs == (0..<500).filter { !worker.refuses($0) }.map { $0 * 2 + 1 })
        #expect(failures.withLock { $0 } == (0..<500).filter(worker.refuses))
      }
    }

    @Test("nothing is lost, doubled or out of order, however often it is done")
    func often() async throws {
      try await with(.threads(3), .threads(2)) { writer, reader in
        for round in 0..<40 {
          let (first, second) = (Edge<Int>(), Edge<Int>())
          let options = MapOptions(
            chunking: round % 3 == 0 ? .automatic : .size(1 + round % 4), window: .items(3 + round % 20))
          _ = try writer.begin(ItemSource(0..<400), with: AddOne(), into: first, options: options)
          // Back to the first pool, and out of it again.
          _ = try reader.begin(ItemSource(first), with: AddOne(), into: second, options: options)
          var outputs: [Int] = []
          for try await output in writer.outputs(of: second, with: AddOne(), options: options) {
            outputs.append(output)
          }
          #expect(outputs == Array(3..<403), "round \(round)")
        }
      }
    }
  }
}
