import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// Does something to its worker at one item.
private struct Breaks: StatelessWorker, Codable {
  enum How: String, Codable, CaseIterable { case traps, exits, isKilled, forks, hangs }
  var how: How
  var item: Int

  func process(_ item: Int) -> Int {
    guard item == self.item else { return item }
    switch how {
    case .traps: return [Int]()[item]
    case .exits: exit(3)
    case .isKilled: kill(getpid(), SIGKILL)
    case .forks:
      // A child that lives no longer than this.
      let pid = millraceFork()
      if pid == 0 { _exit(0) }
      var status: Int32 = 0
      waitpid(pid, &status, 0)
    case .hangs: while true { usleep(1_000) }
    }
    return item
  }
}

/// `fork`, which Swift does not offer.
private func millraceFork() -> pid_t {
  typealias Fork = @convention(c) () -> pid_t
  return unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)()
}

extension Checked {
  /// What goes wrong in a stage costs that item, says where, and nothing else.
  @Suite(.timeLimit(.minutes(1)), .enabled(if: !ThreadSanitizer.isOn)) struct PipelineFaults {
    private static let backends = [WorkerPool.Backend.processes(1), .processes(3), Backends.spawning, Backends.forking]

    /// A stage in the midst of two others, with a serial stage behind it: in one station with them, or not.
    private func pipeline(_ how: Breaks.How, isFused: Bool) -> Pipeline<Int, Int> {
      let timeouts = MapOptions.Timeouts(item: .milliseconds(300))
      let breaks = Breaks(how: how, item: 37)
      let stages: Pipeline<Int, Int> =
        isFused
        ? Pipeline {
          AddX(amount: 0)
          breaks
          AddX(amount: 1)
        }
        : Pipeline {
          Pipeline<Int, Int> { AddX(amount: 0) }.options(StageOptions())
          Pipeline<Int, Int> { breaks }.options(StageOptions())
          Pipeline<Int, Int> { AddX(amount: 1) }.options(StageOptions())
        }
      return stages.options(StageOptions(timeouts: how == .hangs ? timeouts : nil)).stage(Tallying())
    }

    @Test(
      "F67 a stage that dies, hangs or forks costs one item, which is blamed with its stage; order is kept",
      arguments: backends.flatMap { backend in [true, false].map { (backend, $0) } })
    func faults(backend: WorkerPool.Backend, isFused: Bool) async throws {
      try await withWorkerPool(backend) { pool in
        for how in Breaks.How.allCases {
          var outputs: [Int] = []
          var failures: [ItemFailure] = []
          for try await outcome in pipeline(how, isFused: isFused).outcomes(of: 0..<100, on: pool) {
            switch outcome.result {
            case .success(let output): outputs.append(output)
            case .failure(let failure):
              #expect(outputs.count == 37 && outcome.index == 37)
              failures.append(failure)
            }
          }
          let expected = how == .forks ? Array(1...100) + [-100] : Array(1...37) + Array(39...100) + [-99]
          #expect(outputs == expected, "\(how)")
          #expect(failures.map(\.index) == (how == .forks ? [] : [37]), "\(how)")
          guard let failure = failures.first else { continue }
          switch (how, failure.cause) {
          case (.traps, .crashed(let crash)):
            #expect(crash.kind == .trap)
            #expect(failure.stage == ItemFailure.Stage(name: "Breaks", position: 2))
          case (.isKilled, .crashed(let crash)):
            #expect(crash.kind == .killedFromOutside)
            #expect(failure.stage?.name == "Breaks")
          case (.exits, .exited(3)), (.hangs, .timedOut):
            #expect(failure.stage?.name == (isFused ? "AddX → Breaks → AddX 2" : "Breaks"))
          default: Issue.record("\(how): \(failure)")
          }
        }
      }
    }

    @Test("a retried item goes through, in its place", arguments: backends)
    func retries(backend: WorkerPool.Backend) async throws {
      let tries = CommonCounter()
      try await withWorkerPool(backend) { pool in
        tries.set(0)
        let pipeline = Pipeline<Int, Int> { AddX(amount: 0) }.map { (item: Int) in
          if item == 5, tries.increment() < 3 { kill(getpid(), SIGKILL) }
          return item
        }.options(StageOptions(retry: .upTo(3))).stage(Tallying())
        let outputs = try await pipeline.list(of: 0..<50, on: pool)
        #expect(outputs == Array(0..<50) + [-50] && tries.value == 3)
      }
    }

    @Test("what cannot be sent to a process is refused, in whichever stage it is")
    func untransportable() async throws {
      final class Local: Sendable {}
      try await withWorkerPool(.processes(2)) { pool in
        let pipeline = Pipeline<Int, Local> { Map { (_: Int) in Local() } }.batch(2)
        let error = await #expect(throws: WorkerPoolError.self) { try await pipeline.list(of: 0..<10, on: pool) }
        #expect(error?.kind == .notTransportable)
      }
    }

    @Test("a stage that leaves a process behind leaves none when its pool has ended", arguments: backends)
    func leavesBehind(backend: WorkerPool.Backend) async throws {
      struct Leaves: StatelessWorker, Codable {
        func process(_ item: Int) -> Int {
          guard item == 3 else { return item }
          let pid = millraceFork()
          // It outlives the worker, and has nothing else to do.
          if pid == 0 { while true { sleep(1_000) } }
          return Int(pid)
        }
      }
      var child: Int32 = 0
      try await withWorkerPool(backend) { pool in
        let outputs = try await Pipeline<Int, Int> { Leaves() }.stage(Tallying()).list(of: 0..<10, on: pool)
        child = Int32(outputs[3])
        #expect(outputs.count == 11 && outputs.last == -10 && child > 0)
      }
      // The oracle looks, too.
      var looks = 0
      while TestProgram.isRunning(child), looks < 1_000 {
        looks += 1
        try await Task.sleep(for: .milliseconds(5))
      }
      #expect(!TestProgram.isRunning(child))
      if TestProgram.isRunning(child) { kill(child, SIGKILL) }
    }

    @Test("F68 a dead branch of a broadcast fails the whole, and a slow one holds the bound", arguments: backends)
    func branches(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let dead: Pipeline<Int, Int> = Pipeline {
          Broadcast {
            AddX(amount: 0)
            Breaks(how: .traps, item: 37)
          }
        }
        let failure = await #expect(throws: ItemFailure.self) { try await dead.list(of: 0..<10_000, on: pool) }
        #expect(failure?.index == 37 && failure?.stage?.name == "Breaks")

        let source = EndlessCount()
        let slow: Pipeline<Nothing, Int> = Pipeline {
          source
          Broadcast {
            AddX(amount: 0)
            Map { (item: Int) in
              usleep(2_000)
              return -item
            }
          }
        }
        .options(StageOptions(window: .items(20)))
        // The windows of both branches and of the source, and the edges: what the layout says.
        let line = slow.layout(on: pool).split(separator: "\n").last?.split(separator: " ").compactMap { Int($0) }
        let most = try #require(line?.first)
        #expect(most < 300)
        var taken = 0
        for try await _ in slow.outputs(on: pool) {
          taken += 1
          #expect(source.made.value - taken / 2 <= most)
          if taken == 100 { break }
        }
      }
    }
  }
}
