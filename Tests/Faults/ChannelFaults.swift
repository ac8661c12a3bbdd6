import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Does something to what binds it to the pool, in one item, in its set-up or in its tear-down.
private struct Severed: Worker, Codable {
  enum Deed: String, Codable, CaseIterable {
    /// Each number up to 1,023, as older code does that does not know what it has inherited.
    case closeNumbers
    /// All that there are.
    case closeAll
    /// The same, and then files of its own, which must stay empty.
    case closeAllAndOpen
    /// Becomes another program, with nobody in it that could say so.
    case replaceProgram
    /// Takes all that there are, for the items behind it as well.
    case exhaust
  }
  enum Place: String, Codable, CaseIterable { case setUp, item, tearDown }

  var deed: Deed
  var place: Place
  var path = ""

  func setUp(_ context: WorkerContext) -> WorkerContext {
    if place == .setUp, context.slot == 0 { perform() }
    return context
  }

  func process(_ item: Int, state context: inout WorkerContext) throws -> [UInt8] {
    if deed == .exhaust {
      let number = open("/dev/null", O_RDONLY)
      guard number >= 0 else { throw Misfortune() }
      close(number)
    }
    if place == .item, item == 17 { perform() }
    return [UInt8](repeating: UInt8(item % 251), count: item % 10 == 9 ? 100_000 : 10)
  }

  func tearDown(_ context: WorkerContext) { if place == .tearDown { perform() } }

  private func perform() {
    switch deed {
    case .closeNumbers: for number in Int32(3)...1_023 { close(number) }
    case .closeAll: for number in Int32(3)...8_192 { close(number) }
    case .closeAllAndOpen:
      for number in Int32(3)...8_192 { close(number) }
      for number in Int32(3)...8_192 where number > 4_000 || number < 64 {
        let file = open(path, O_WRONLY | O_APPEND)
        guard file != number else { continue }
        if dup2(file, number) == number { close(file) }
      }
    case .replaceProgram:
      var words: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
      execvp("sleep", &words)
    case .exhaust: while open("/dev/null", O_RDONLY) >= 0 {}
    }
  }

  static func output(_ item: Int) -> [UInt8] {
    [UInt8](repeating: UInt8(item % 251), count: item % 10 == 9 ? 100_000 : 10)
  }
}

/// Stops the fork server, and dies.
private struct Silencing: StatelessWorker, Codable {
  var ledger: LineLedger

  func process(_ item: Int) -> Int {
    if item == 17 {
      ledger.note("\(getppid())")
      kill(getppid(), SIGSTOP)
      kill(getpid(), SIGKILL)
    }
    return item
  }
}

extension Faults {
  /// U13: what binds a worker to its pool is lost.
  @Suite(.forks) struct Channel {
    private func expectOneLost(
      _ backend: WorkerPool.Backend, _ worker: Severed, _ chunking: MapOptions.Chunking = .size(16)
    ) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var lost: [Int] = []
        for try await outcome in pool.outcomes(of: 0..<200, with: worker, options: MapOptions(chunking: chunking)) {
          switch outcome.result {
          case .success(let output): #expect(output == Severed.output(outcome.index))
          case .failure: lost.append(outcome.index)
          }
        }
        // Nobody but the one that did it, if at all: it may have ended before that was seen.
        #expect(lost.count <= 1, "\(lost)")
        try await expectUsable(pool)
      }
    }

    @Test(
      "U13: an item that closes all descriptors of its worker costs no other item", arguments: WorkerLife.processes,
      [.closeNumbers, .closeAll, .replaceProgram] as [Severed.Deed])
    fileprivate func inAnItem(backend: WorkerPool.Backend, deed: Severed.Deed) async throws {
      try await expectOneLost(backend, Severed(deed: deed, place: .item))
      try await expectOneLost(backend, Severed(deed: deed, place: .item), .size(1))
    }

    @Test("U13: nothing is written into files that took the place of what was closed", arguments: WorkerLife.processes)
    func intoFiles(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await expectOneLost(backend, Severed(deed: .closeAllAndOpen, place: .item, path: ledger.path), .size(1))
        #expect(try ledger.lines == [])
      }
    }

    @Test("U13: the death of a worker is seen though the fork server says nothing of it")
    func silentServer() async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(.processes(2)) { pool async throws in
          var failed: [Int: ItemFailure] = [:]
          let options = MapOptions(chunking: .size(1))
          for try await outcome in pool.outcomes(of: 0..<100, with: Silencing(ledger: ledger), options: options) {
            if case .failure(let failure) = outcome.result { failed[outcome.index] = failure }
          }
          #expect(Array(failed.keys) == [17])
          // Its end is not what this is about.
          kill(try #require(pid_t(ledger.lines[0])), SIGCONT)
        }
      }
    }

    @Test(
      "U13: set-up and tear-down that close all descriptors hold nobody up", arguments: WorkerLife.processes,
      [.closeNumbers, .closeAll] as [Severed.Deed])
    fileprivate func aroundItems(backend: WorkerPool.Backend, deed: Severed.Deed) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let worker = Severed(deed: deed, place: .tearDown)
        let outputs = try await pool.map(0..<50, with: worker)
        #expect(outputs == (0..<50).map(Severed.output))
        do {
          let outputs = try await pool.map(0..<50, with: Severed(deed: deed, place: .setUp))
          #expect(outputs == (0..<50).map(Severed.output))
        } catch let error as WorkerPoolError {
          // The slot whose worker does so each time it is set up.
          #expect(error.kind == .setUpFailed && deed == .closeAll)
        }
        try await expectUsable(pool)
      }
    }

    @Test(
      "U13: a worker without a descriptor left ends, and the items behind do not fail", arguments: WorkerLife.processes)
    func exhausted(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var failed: [Int: ItemFailure] = [:]
        let worker = Severed(deed: .exhaust, place: .item)
        for try await outcome in pool.outcomes(of: 0..<200, with: worker, options: MapOptions(chunking: .size(16))) {
          if case .failure(let failure) = outcome.result { failed[outcome.index] = failure }
        }
        // The one that finds none, or the one whose output finds none.
        #expect(failed.count <= 1, "\(failed)")
        try await expectUsable(pool)
      }
    }
  }
}
