import Dispatch
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Waits, in whatever kind of code, for something that others do.
private final class Signal: @unchecked Sendable {
  // Sound: a semaphore may be used from any thread.
  private let semaphore = DispatchSemaphore(value: 0)
  func send() { semaphore.signal() }
  func wait() { semaphore.wait() }
}

/// Yields each item when the outcome of the one before has been seen.
private struct Conversation: Sequence, IteratorProtocol {
  let heard: Signal
  let count: Int
  var said = 0

  mutating func next() -> Int? {
    if said > 0 { heard.wait() }
    guard said < count else { return nil }
    defer { said += 1 }
    return said
  }
}

extension Checked {
  /// What has come goes on: no item waits for another to come.
  @Suite struct LiveInput {
    @Test(
      "U10: single requests are answered one by one, whatever the chunks",
      arguments: Backends.Conforming.everything.each(with: [MapOptions.Chunking.automatic, .size(100)]))
    func requests(backend: WorkerPool.Backend, chunking: MapOptions.Chunking) async throws {
      try await withWorkerPool(backend) { pool in
        let (requests, client) = AsyncStream.makeStream(of: Int.self)
        client.yield(0)
        var next = 0
        for try await answer in pool.outputs(of: requests, with: AddOne(), options: MapOptions(chunking: chunking)) {
          next += 1
          #expect(answer == next)
          // Nothing more comes until this one was answered.
          if next < 20 { client.yield(next) } else { client.finish() }
        }
        #expect(next == 20)
      }
    }

    @Test("U189: of several that talk with one pool each is answered", arguments: Backends.Conforming.everything)
    func atOnce(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(60)) {
        try await withWorkerPool(backend) { pool in
          try await withThrowingTaskGroup(of: Int.self) { clients in
            for _ in 0..<3 {
              clients.addTask {
                let (requests, client) = AsyncStream.makeStream(of: Int.self)
                client.yield(0)
                var next = 0
                for try await _ in pool.outputs(of: requests, with: AddOne()) {
                  next += 1
                  if next < 200 { client.yield(next) } else { client.finish() }
                }
                return next
              }
              clients.addTask {
                let heard = Signal()
                var count = 0
                for try await _ in pool.outputs(of: Conversation(heard: heard, count: 200), with: AddOne()) {
                  count += 1
                  heard.send()
                }
                return count
              }
            }
            for try await count in clients { #expect(count == 200) }
          }
        }
      }
    }

    @Test(
      "U10: a generator that waits for its last outcome goes on",
      arguments: Backends.Conforming.everything.each(with: [MapOptions.Chunking.automatic, .size(100)]))
    func conversation(backend: WorkerPool.Backend, chunking: MapOptions.Chunking) async throws {
      try await withWorkerPool(backend) { pool in
        let heard = Signal()
        var count = 0
        let input = Conversation(heard: heard, count: 20)
        for try await outcome in pool.outcomes(of: input, with: AddOne(), options: MapOptions(chunking: chunking)) {
          #expect(try outcome.output == count + 1)
          count += 1
          heard.send()
        }
        #expect(count == 20)
      }
    }

    @Test(
      "U10: thousands of single requests in one chunk", arguments: [WorkerPool.Backend.threads(1), .tasks(2), .serial])
    func longChunk(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (requests, client) = AsyncStream.makeStream(of: [Int].self)
        client.yield([0])
        var next = 0
        let options = MapOptions(chunking: .size(100_000))
        for try await answer in pool.outputs(of: requests, options: options, { $0 + [1] }) {
          #expect(answer == [next, 1])
          next += 1
          if next < 9_000 { client.yield([next]) } else { client.finish() }
        }
        #expect(next == 9_000)
      }
    }

    @Test(
      "U10: what comes after a burst is answered while nothing more comes", arguments: Backends.Conforming.everything)
    func afterBurst(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (requests, client) = AsyncStream.makeStream(of: Int.self)
        for item in 0..<20_000 { client.yield(item) }
        var count = 0
        for try await _ in pool.outputs(of: requests, with: AddOne(), order: .completion) {
          count += 1
          guard count >= 20_000 else { continue }
          if count < 20_010 { client.yield(count) } else { client.finish() }
        }
        #expect(count == 20_010)
      }
    }

    @Test("U10: items that came together are shared by the slots that are free", arguments: Backends.wide)
    func shared(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (items, producer) = AsyncStream.makeStream(of: Int.self)
        let meeting = CommonCounter()
        // The pool has learned that its items are quick.
        for item in 0..<5_000 { producer.yield(-item - 1) }
        var count = 0
        let outputs = pool.outputs(of: items, order: .completion) { item async -> Int in
          guard item >= 0 else { return item }
          meeting.increment()
          await meeting.wait(for: 2)
          return item
        }
        for try await _ in outputs {
          count += 1
          // Each of these ends when the other has begun.
          if count == 5_000 { for item in 0..<2 { producer.yield(item) } }
          if count == 5_002 { producer.finish() }
        }
        #expect(count == 5_002)
      }
    }

    @Test("U10: parts of a chunk go to the slot that the whole would have gone to", arguments: Backends.wide)
    func turns(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (items, producer) = AsyncStream.makeStream(of: Int.self)
        producer.yield(0)
        let options = MapOptions(chunking: .size(4), dispatch: .roundRobin)
        var count = 0
        for try await outcome in pool.outcomes(of: items, with: AddOne(), options: options) {
          #expect(outcome.slot == outcome.index / 4 % pool.width)
          count += 1
          if count < 30 { producer.yield(count) } else { producer.finish() }
        }
        #expect(count == 30)
      }
    }
  }
}
