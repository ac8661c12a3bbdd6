import CMillrace
import MillraceIPC
import Synchronization
import Testing

@Suite struct LaneMarkerTests {
  @Test func markerSaysWhatTheWorkerDoes() throws {
    let lane = try Lane(ringCapacity: 4096)
    var worker = WorkerEnd(lane, bell: .futex)
    #expect(lane.snapshot() == LaneSnapshot(state: .idle, chunk: 0, completed: 0, itemStart: nil, heartbeat: 0))
    worker.marker.enter(.settingUp)
    #expect(lane.snapshot().state == .settingUp && lane.snapshot().itemStart == nil)
    worker.marker.beginChunk(7)
    lane.finishItem()
    #expect(lane.snapshot() == LaneSnapshot(state: .running, chunk: 7, completed: 1, itemStart: nil, heartbeat: 2))
    worker.marker.enter(.idle)
    #expect(lane.snapshot() == LaneSnapshot(state: .idle, chunk: 0, completed: 0, itemStart: nil, heartbeat: 3))

    let before = MonotonicTime.now
    worker.marker.beginChunk(8)
    #expect(lane.snapshot().completed == 0 && lane.snapshot().itemStart == nil)
    lane.beginItem()
    let start = try #require(lane.snapshot().itemStart)
    #expect(before <= start && start <= MonotonicTime.now)
    lane.finishItem()
    #expect(lane.snapshot() == LaneSnapshot(state: .running, chunk: 8, completed: 1, itemStart: start, heartbeat: 4))
    worker.marker.enter(.tearingDown)
    #expect(lane.snapshot().state == .tearingDown)
  }

  /// An item is either completed in time or given up, never both.
  @Test func abandonedRunsGoNoFurther() throws {
    let lane = try Lane(ringCapacity: 4096)
    var worker = WorkerEnd(lane, bell: .futex)
    worker.marker.beginChunk(1)
    lane.finishItem()
    let word = lane.progress
    let done = LaneLayout.tag(1) | 1
    // Another chunk, which the worker has left already: this one is not touched.
    lane.abandon(chunk: 7)
    #expect(word.pointee.load(ordering: .relaxed) == done)
    lane.abandon(chunk: 1)
    let next = word.pointee.compareExchange(expected: done, desired: done + 1, ordering: .acquiringAndReleasing)
    #expect(!next.exchanged)
    #expect(lane.snapshot().completed == 1)
    worker.marker.beginChunk(2)
    #expect(lane.snapshot().completed == 0 && lane.snapshot().chunk == 2)
  }

  @Test("U10: what is behind the item that a worker is at is given back once, and only of the chunk that it is at")
  func cutRunsEndWithTheirItem() throws {
    let lane = try Lane(ringCapacity: 4096)
    var worker = WorkerEnd(lane, bell: .futex)
    worker.marker.beginChunk(1)
    #expect(lane.cut(chunk: 2, of: 9, received: 0) == .notBegun)
    lane.finishItem()
    // It has sent the outcome of its second item, and not counted it.
    #expect(lane.cut(chunk: 1, of: 9, received: 2) == .between)
    #expect(lane.cut(chunk: 1, of: 2, received: 1) == .nothingBehind)
    #expect(lane.cut(chunk: 1, of: 9, received: 1) == .at(1))
    #expect(lane.cut(chunk: 1, of: 9, received: 1) == .nothingBehind)
    #expect(lane.snapshot().completed == 1 && lane.snapshot().chunk == 1)
    // The item itself can be given up yet.
    lane.abandon(chunk: 1)
    #expect(lane.progress.pointee.load(ordering: .relaxed) & LaneLayout.abandoned != 0)
    worker.marker.beginChunk(2)
    #expect(lane.cut(chunk: 2, of: 2, received: 0) == .at(0))
  }

  /// A reader at any moment sees parts that belong together.
  @Test(.timeLimit(.minutes(1))) func snapshotsAreConsistent() throws {
    let lane = try Lane(ringCapacity: 4096)
    let chunks: UInt64 = 20_000
    let done = Flag()
    let thread = TestThread {
      var worker = WorkerEnd(lane, bell: .futex)
      for chunk in 1...chunks {
        worker.marker.beginChunk(chunk)
        for _ in 0..<chunk % 8 {
          lane.beginItem()
          for _ in 0..<50 { millrace_spin_hint() }
          lane.finishItem()
        }
        worker.marker.enter(.idle)
      }
      done.raise()
    }
    var last = lane.snapshot()
    var timed = 0
    while !done.isRaised {
      let now = lane.snapshot()
      guard now.heartbeat >= last.heartbeat, UInt64(now.completed) <= now.chunk % 8 else {
        Issue.record("\(now) after \(last)")
        break
      }
      guard now.state == .running else { continue }
      if now.itemStart != nil { timed += 1 }
      if let start = now.itemStart, let old = last.itemStart {
        let isLater = (now.chunk, now.completed) > (last.chunk, last.completed)
        #expect(start >= old && (isLater || now.completed == last.completed))
      }
      last = now
    }
    thread.join()
    #expect(timed > 0)
    #expect(lane.snapshot().heartbeat == 2 * chunks)
  }

  private final class Flag: Sendable {
    private let value = Atomic(false)
    var isRaised: Bool { value.load(ordering: .acquiring) }
    func raise() { value.store(true, ordering: .releasing) }
  }
}

extension Lane {
  func beginItem() { itemStart.pointee.store(MonotonicTime.now, ordering: .releasing) }
  func finishItem() { progress.pointee.wrappingAdd(1, ordering: .acquiringAndReleasing) }
}
