#if CLI
import Dispatch
import Millrace
import Synchronization
import Testing

@testable import MillraceCLI

@Suite struct RunJobsTests {
  /// An input without end, until it is over, of which what is drawn is counted; and jobs that wait at a gate.
  private final class Scene: Sequence, IteratorProtocol, Sendable {
    let drawn = Atomic(0)
    let begun = Atomic(0)
    let isOver = Atomic(false)
    let gate = DispatchSemaphore(value: 0)

    func next() -> Int? {
      isOver.load(ordering: .relaxed) ? nil : drawn.add(1, ordering: .relaxed).newValue
    }

    func job() {
      begun.add(1, ordering: .relaxed)
      gate.wait()
      gate.signal()
    }

    func open() {
      isOver.store(true, ordering: .relaxed)
      gate.signal()
    }
  }

  /// An input may be what somebody types, or a queue that others read too: it is not drawn further than needed.
  @Test(.timeLimit(.minutes(1))) func oneInputIsReadAheadForEachSlot() async throws {
    let scene = Scene()
    let run = Task {
      try await runJobs(inputs: scene, width: 2) { _, _, _ in
        scene.job()
      } deliver: {
      }
    }
    while scene.begun.load(ordering: .relaxed) < 2 || scene.drawn.load(ordering: .relaxed) < 4 {
      try await Task.sleep(for: .milliseconds(1))
    }
    // As long as it would take to draw thousands.
    try await Task.sleep(for: .milliseconds(20))
    #expect(scene.drawn.load(ordering: .relaxed) == 4 && scene.begun.load(ordering: .relaxed) == 2)
    scene.open()
    try await run.value
  }

  @Test("A job that fails is the pool's to try again, and its last word is delivered", .timeLimit(.minutes(1)))
  func failedJobs() async throws {
    let tries = Mutex<[Int]>([])
    var delivered: [String] = []
    try await runJobs(inputs: 1...4, width: 2, attempts: 3) { input, _, _ -> String in
      let count = tries.withLock { tries in
        tries.append(input)
        return tries.count { $0 == input }
      }
      switch input {
      case 1: return "1 done"
      case 2: throw JobFailed(output: "2 failed \(count)", isWorthAnother: true)
      case 3: throw JobFailed(output: "3 stopped \(count)", isWorthAnother: false)
      default:
        if count < 2 { throw JobFailed(output: "4 failed", isWorthAnother: true) }
        return "4 done"
      }
    } deliver: {
      delivered.append($0)
    }
    #expect(delivered.sorted() == ["1 done", "2 failed 3", "3 stopped 1", "4 done"])
    #expect(tries.withLock { $0.sorted() } == [1, 2, 2, 2, 3, 4, 4])
  }
}
#endif
