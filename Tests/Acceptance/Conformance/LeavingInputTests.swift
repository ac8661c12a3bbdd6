import Dispatch
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// An input that several maps read on, one after the other, as a file or a connection would be.
private final class Tape: Sequence, IteratorProtocol, Sendable {
  private let position = Lock(0)
  let count: Int

  init(count: Int) { self.count = count }

  var read: Int { position.withLock { $0 } }

  func next() -> Int? {
    position.withLock { position in
      guard position < count else { return nil }
      defer { position += 1 }
      return position
    }
  }

  /// The same, as an asynchronous sequence.
  struct Async: AsyncSequence, AsyncIteratorProtocol, Sendable {
    let tape: Tape

    func makeAsyncIterator() -> Async { self }

    func next() async -> Int? {
      await Task.yield()
      return tape.next()
    }
  }
}

private enum Way: CaseIterable {
  case leaves, fails, isCancelled
}

extension Checked {
  /// Who has left a map has its input for himself.
  @Suite struct LeavingInput {
    /// Runs a map that ends early, and says how far the input was read when control had come back.
    private func first(_ pool: WorkerPool, _ tape: Tape, isAsync: Bool, _ way: Way) async -> Int {
      let options = MapOptions(chunking: .size(1), window: .items(64))
      let worker = Picky(modulus: 1_000, remainder: way == .fails ? 40 : 999)
      if isAsync {
        await leave(pool.outputs(of: Tape.Async(tape: tape), with: worker, options: options), way)
      } else {
        await leave(pool.outputs(of: tape, with: worker, options: options), way)
      }
      return tape.read
    }

    private func leave<Items>(_ outputs: OutputSequence<Int, Items>, _ way: Way) async {
      switch way {
      case .leaves:
        var count = 0
        do {
          for try await _ in outputs {
            count += 1
            if count == 40 { break }
          }
        } catch { Issue.record(error) }
      case .fails:
        await #expect(throws: ItemFailure.self) {
          for try await _ in outputs {}
        }
      case .isCancelled:
        let output = outputs.sent
        let task = Task {
          for try await number in output.value where number == 40 { withUnsafeCurrentTask { $0!.cancel() } }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
      }
    }

    @Test(
      "U11: the next map reads on where the reader of the one before has stopped", arguments: Backends.Conforming.all)
    func readsOn(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for way in Way.allCases {
          for isAsync in [false, true] {
            for _ in 0..<4 {
              let tape = Tape(count: 400)
              let start = await first(pool, tape, isAsync: isAsync, way)
              // The window, what the consumer had taken without saying so yet, and one that was on its way.
              if way == .leaves { #expect(start <= 40 + 64 + 1) }
              let rest =
                isAsync
                ? try await pool.map(Tape.Async(tape: tape), with: AddOne()) : try await pool.map(tape, with: AddOne())
              #expect(rest == (start..<400).map { $0 + 1 }, "\(way), asynchronous: \(isAsync)")
            }
          }
        }
      }
    }

    @Test("U11: of a default stream some hundred items are read for forty outputs", arguments: Backends.Conforming.all)
    func readsLittle(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<20 {
          let tape = Tape(count: 10_000)
          var taken = 0
          for try await _ in pool.outputs(of: tape, with: AddOne()) {
            taken += 1
            if taken == 40 { break }
          }
          #expect(tape.read <= 40 + 64 * pool.width + 40)
        }
      }
    }

    @Test("U11: an input that blocks for ever is not waited for", arguments: Backends.Conforming.apart)
    func blocks(backend: WorkerPool.Backend) async throws {
      let release = Gate()
      try await withDeadline(.seconds(20)) {
        try await withWorkerPool(backend) { pool in
          for try await output in pool.outputs(of: Blocking(after: 3, release: release), with: AddOne())
          where output == 3 {
            break
          }
        }
      }
      release.open()
    }

    @Test("U11: nor is an asynchronous one that does not mind being cancelled", arguments: Backends.Conforming.apart)
    func ignores(backend: WorkerPool.Backend) async throws {
      let release = Gate()
      try await withDeadline(.seconds(20)) {
        try await withWorkerPool(backend) { pool in
          for try await output in pool.outputs(of: Stubborn(after: 3, release: release), with: AddOne())
          where output == 3 {
            break
          }
        }
      }
      release.open()
    }
  }
}

/// Opens once.
private final class Gate: Sendable {
  private let state = Lock<(isOpen: Bool, waiters: [UnsafeContinuation<Void, Never>])>((false, []))
  private let semaphore = DispatchSemaphore(value: 0)

  func open() {
    let waiters = state.withLock { state in
      state.isOpen = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
    semaphore.signal()
  }

  func block() { semaphore.wait() }

  func wait() async {
    await withUnsafeContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiters.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }
}

private struct Blocking: Sequence, IteratorProtocol {
  let after: Int
  let release: Gate
  var position = 0

  init(after: Int, release: Gate) { (self.after, self.release) = (after, release) }

  mutating func next() -> Int? {
    if position == after {
      release.block()
      return nil
    }
    defer { position += 1 }
    return position
  }
}

private struct Stubborn: AsyncSequence, AsyncIteratorProtocol {
  let after: Int
  let release: Gate
  var position = 0

  init(after: Int, release: Gate) { (self.after, self.release) = (after, release) }

  func makeAsyncIterator() -> Stubborn { self }

  mutating func next() async -> Int? {
    if position == after {
      await release.wait()
      return nil
    }
    defer { position += 1 }
    return position
  }
}

extension OutputSequence {
  /// To be iterated in one task, which is not this one.
  fileprivate var sent: Sent { Sent(value: self) }

  fileprivate struct Sent: @unchecked Sendable { let value: OutputSequence }
}
