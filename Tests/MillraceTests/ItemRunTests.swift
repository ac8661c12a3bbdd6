import Millrace
import MillraceIPC
import MillraceTesting
import Synchronization
import TestSupport
import Testing

@Suite("The run over a chunk's items")
struct ItemRunTests {
  @Test("U10: whenever a run is cut short, its items are those before the cut", .timeLimit(.minutes(1)))
  func cut() async throws {
    try await runs(tag: 0) { $0.progress.makeLast(of: $1).map { $0 + 1 } }
  }

  @Test(
    "U10: whenever the run of a worker process is cut short, its items are those before the cut",
    .timeLimit(.minutes(1)))
  func cutInLane() async throws {
    let lane = try Lane(ringCapacity: 4096)
    try await runs(tag: LaneLayout.tag(7), ItemPosition(progress: lane.progress, startTime: lane.itemStart)) {
      _, count in
      if case .at(let offset) = lane.cut(chunk: 7, of: count, received: 0) { offset + 1 } else { nil }
    }
  }

  @Test(
    "whenever a run of items that are begun together is cut short, none that was begun is behind the cut",
    .timeLimit(.minutes(1)))
  func cutInGroups() async throws {
    try await runs(tag: 0, cut: { $0.progress.makeLast(of: $1).map { $0 + 1 } }) { run in
      while run._begin() {
        // One of each group fails: it is settled for itself.
        let (first, count) = (run.next, run.claim(7))
        let failed = count / 2
        for item in 0..<failed { (run.outputs + first + item).initialize(to: first + item) }
        guard count > 0, run.settle(failed, stillClaimed: count - failed), run._advance() else { break }
        for item in failed + 1..<max(failed + 1, count) { (run.outputs + first + item).initialize(to: first + item) }
        guard run.settle(count - failed - 1) else { break }
      }
    }
  }

  private func runs(
    tag: UInt64, _ place: ItemPosition? = nil, cut: @escaping @Sendable (ItemPosition, Int) -> Int?,
    by go: @escaping @Sendable (inout _ItemRun<Int, Int>) -> Void = { run in
      while run._begin() { guard run._finish(run._item) else { break } }
    }
  ) async throws {
    let count = 400
    let inputs = UnsafeMutablePointer<Int>.allocate(capacity: count)
    let outputs = UnsafeMutablePointer<Int>.allocate(capacity: count)
    for item in 0..<count { (inputs + item).initialize(to: item) }
    defer {
      inputs.deallocate()
      outputs.deallocate()
    }
    nonisolated(unsafe) let (source, target) = (UnsafePointer(inputs), outputs)
    for round in 0..<2_000 {
      let position = place ?? ItemPosition()
      position.progress.pointee.store(tag, ordering: .releasing)
      let gate = SharedGate()
      async let from = onPlainThread { () -> Int? in
        gate.open()
        for _ in 0..<round % 50 { _ = position.progress.pointee.load(ordering: .acquiring) }
        return cut(position, count)
      }
      let done = try await onPlainThread { () -> Int in
        gate.wait()
        var run = _ItemRun(
          inputs: source, outputs: target, range: 0..<count, progress: position.progress, tag: tag, startTime: nil)
        go(&run)
        return run.next
      }
      let end = try await from ?? count
      #expect(end == done)
    }
  }
}

/// Lets two threads begin together.
private final class SharedGate: Sendable {
  private let isOpen = Atomic(false)
  func open() { isOpen.store(true, ordering: .releasing) }
  func wait() { while !isOpen.load(ordering: .acquiring) {} }
}
