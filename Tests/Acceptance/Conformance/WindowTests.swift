import Millrace
import MillraceIPC
import TestSupport
import Testing

/// Watches how far a sequence is read ahead of who takes the outputs.
private final class Gauge: Sendable {
  private let state = Lock((drawn: 0, taken: 0, most: 0))

  func draw() {
    state.withLock {
      $0.drawn += 1
      $0.most = max($0.most, $0.drawn - $0.taken)
    }
  }

  func take() { state.withLock { $0.taken += 1 } }
  var drawn: Int { state.withLock { $0.drawn } }
  var most: Int { state.withLock { $0.most } }
}

private struct Gauged: Sequence, IteratorProtocol {
  let gauge: Gauge
  let count: Int
  var position = 0

  init(_ gauge: Gauge, count: Int) { (self.gauge, self.count) = (gauge, count) }

  mutating func next() -> Int? {
    guard position < count else { return nil }
    gauge.draw()
    defer { position += 1 }
    return position
  }
}

extension Checked {
  @Suite struct Windows {
    @Test("never more is read ahead than the window", arguments: Backends.Conforming.all.each(with: [1, 5, 64]))
    func items(backend: WorkerPool.Backend, window: Int) async throws {
      try await withWorkerPool(backend) { pool in
        for order in [MapOptions.Order.input, .completion] {
          for chunking in [MapOptions.Chunking.size(1), .size(3), .automatic] {
            let gauge = Gauge()
            let options = MapOptions(chunking: chunking, window: .items(window))
            var outputs: [Int] = []
            for try await output in pool.outputs(
              of: Gauged(gauge, count: 150), with: AddOne(), order: order, options: options)
            {
              gauge.take()
              outputs.append(output)
            }
            #expect(gauge.most <= window && gauge.drawn == 150)
            #expect(outputs.sorted() == Array(1...150))
          }
        }
      }
    }

    @Test("the window is used to the full while the consumer rests", arguments: Backends.Conforming.apart)
    func readsAhead(backend: WorkerPool.Backend) async throws {
      let gauge = Gauge()
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(1), window: .items(9))
        var iterator = pool.outputs(of: Gauged(gauge, count: 100), with: AddOne(), options: options).makeAsyncIterator()
        #expect(try await iterator.next() == 1)
        while gauge.drawn < 9 { await Task.yield() }
        gauge.take()
        while try await iterator.next() != nil { gauge.take() }
      }
      #expect(gauge.most == 9)
    }

    @Test("windows of chunks and of items for each worker", arguments: Backends.Conforming.all)
    func perWorker(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for (window, limit) in [
          (MapOptions.Window.chunksPerWorker(2), 2 * 4 * pool.width), (.itemsPerWorker(4), 4 * pool.width),
        ] {
          let gauge = Gauge()
          let options = MapOptions(chunking: .size(4), window: window)
          for try await _ in pool.outputs(of: Gauged(gauge, count: 200), with: AddOne(), options: options) {
            gauge.take()
          }
          #expect(gauge.most <= limit && gauge.drawn == 200)
        }
      }
    }
  }
}
