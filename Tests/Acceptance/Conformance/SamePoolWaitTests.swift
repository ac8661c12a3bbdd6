import Millrace
import Synchronization
import TestSupport
import Testing

/// Submissions by the order in which they were made, for items that wait for one another.
private final class Futures: Sendable {
  private let all = Mutex<[Submission<Int>]>([])
  func add(_ future: Submission<Int>) { all.withLock { $0.append(future) } }
  subscript(index: Int) -> Submission<Int>? { all.withLock { $0.indices.contains(index) ? $0[index] : nil } }
}

/// Opens once, for those who wait.
private final class Gate: Sendable {
  private let stream: AsyncStream<Void>
  private let opener: AsyncStream<Void>.Continuation
  init() { (stream, opener) = AsyncStream.makeStream() }
  func open() { opener.finish() }
  func wait() async { for await _ in stream {} }
}

/// An iterator that goes to another task.
private final class Carried<Iterator: AsyncIteratorProtocol>: @unchecked Sendable where Iterator.Element == Int {
  // Sound: one task after the other uses it.
  private var iterator: Iterator
  init(_ iterator: Iterator) { self.iterator = iterator }
  func next() async throws -> Int? { try await iterator.next() }
}

private let narrow: [WorkerPool.Backend] = [.serial, .tasks(1), .threads(1), .threads(2)]

extension Checked {
  /// Items that wait for what was begun outside of them, on the pool in which they run.
  @Suite(.timeLimit(.minutes(1))) struct SamePoolWaits {
    @Test("U9: an item waits for a submission that was made outside", arguments: narrow)
    func one(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for _ in 0..<20 {
          let future = try pool.submit(5) { $0 * 2 }
          #expect(try await pool.map([1, 2, 3]) { try await future.value + $0 } == [11, 12, 13])
        }
      }
    }

    @Test("U9: one that is submitted after the item that waits for it (wait_on_future)", arguments: narrow)
    func later(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let gate = Gate()
        let futures = Futures()
        let waiting = try pool.submit { () async throws -> Int in
          await gate.wait()
          return try await futures[0]!.value + 1
        }
        futures.add(try pool.submit { 5 })
        gate.open()
        #expect(try await waiting.value == 6)
        #expect(try await pool.map(0..<3) { $0 } == [0, 1, 2])
      }
    }

    @Test("U9: a list of submissions is mapped over", arguments: narrow)
    func list(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let futures = try (0..<20).map { item in try pool.submit(item) { $0 * $0 } }
        #expect(try await pool.map(futures) { try await $0.value } == (0..<20).map { $0 * $0 })
      }
    }

    @Test("U9: ten submissions each wait for the one behind it", arguments: narrow)
    func chain(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let gate = Gate()
        let futures = Futures()
        for place in 0..<10 {
          futures.add(
            try pool.submit {
              await gate.wait()
              return try await (futures[place + 1]?.value ?? 0) + 1
            })
        }
        gate.open()
        #expect(try await futures[0]!.value == 10)
      }
    }

    @Test("U9: submissions in a circle do not wait for ever", arguments: narrow)
    func circle(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let gate = Gate()
        let futures = Futures()
        for place in 0..<3 {
          futures.add(
            try pool.submit {
              await gate.wait()
              return try await futures[(place + 1) % 3]!.value
            })
        }
        gate.open()
        let failure = await #expect(throws: ItemFailure.self) { _ = try await futures[0]!.value }
        #expect(failure.map { "\($0)".contains("wait in a circle") } == true, "\(failure as Any)")
      }
    }

    @Test(
      "U9: more than the pool has slots wait for the ones before them",
      arguments: [WorkerPool.Backend.tasks(34), .threads(34)])
    func predecessors(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let gate = Gate()
        var last = try pool.submit { () async -> Int in
          await gate.wait()
          return 0
        }
        for _ in 0..<36 { last = try pool.submit { [last] in try await last.value + 1 } }
        gate.open()
        #expect(try await last.value == 36)
      }
    }

    @Test("U9: a stream that was begun outside is finished inside", arguments: narrow)
    func stream(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let options = MapOptions(chunking: .size(1), window: .items(2))
        let iterator = Carried(pool.outputs(of: 0..<10, with: Times(factor: 2), options: options).makeAsyncIterator())
        #expect(try await iterator.next() == 0)
        let sum = try await pool.map([100]) { item in
          var sum = item
          while let output = try await iterator.next() { sum += output }
          return sum
        }
        #expect(sum == [190])
      }
    }

    @Test("U9: maps inside the items of what is waited for", arguments: narrow)
    func nested(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let futures = try (0..<6).map { item in
          try pool.submit(item) { item in try await pool.map(0..<3) { $0 + item }.reduce(0, +) }
        }
        let found = try await pool.map(futures, options: MapOptions(chunking: .size(1))) { future in
          try await pool.map([future, future]) { try await $0.value }.reduce(0, +)
        }
        #expect(found == (0..<6).map { 2 * (3 + 3 * $0) })
      }
    }

    @Test("U9: two that wait for each other's submissions, whoever has asked first", arguments: narrow)
    func crossed(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for _ in 0..<20 {
          let first = try pool.submit(1) { $0 }
          let second = try pool.submit(2) { $0 + 1 }
          async let one = pool.map([first]) { try await $0.value + second.value }
          async let other = second.value
          async let third = pool.map([second]) { try await $0.value + first.value }
          #expect(try await (one, other, third) == ([4], 3, [4]))
        }
      }
    }

    @Test("U9: an item is cancelled while it waits", arguments: narrow)
    func cancelled(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let begun = Gate()
        let future = try pool.submit { () async throws -> Int in
          begun.open()
          try await Task.sleep(for: .seconds(3_600))
          return 1
        }
        let waiting = Task { try await pool.map([future]) { try await $0.value } }
        await begun.wait()
        waiting.cancel()
        await #expect(throws: CancellationError.self) { _ = try await waiting.value }
        future.cancel()
        #expect(try await pool.map([1, 2]) { $0 } == [1, 2])
      }
    }

    @Test("U9: the pool is shut down while an item waits", arguments: narrow)
    func shutDown(backend: WorkerPool.Backend) async throws {
      let gate = Gate()
      let futures = Futures()
      try await withWorkerPool(backend) { pool async throws in
        futures.add(
          try pool.submit {
            await gate.wait()
            return try await futures[1]!.value
          })
        futures.add(try pool.submit { 7 })
        gate.open()
      }
      #expect(try await futures[0]!.value == 7)
    }
  }
}
