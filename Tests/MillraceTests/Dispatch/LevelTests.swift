import Millrace
import Testing

@Suite("Dispatcher: maps inside items")
struct DispatchLevelTests {
  /// A pool whose only slot is at an item of the first job.
  private func busy(shareTime: UInt64? = nil, isSmooth: Bool = true) -> (Play, WorkerKey) {
    let play = Play(width: 1, shareTime: shareTime, isSmooth: isSmooth)
    let key = play.worker()
    let outer = play.submit(key)
    play.arriveAll(outer, 1)
    if !isSmooth {
      play.step { $0.started(slot: 0, generation: 1, now: $1) }
      play.prepared(0, key)
    }
    #expect(play.said().last == "run 0: 1 0..<1")
    return (play, key)
  }

  private func spare(_ play: Play, _ level: Int = 1) -> Int { play.dispatcher.levels.count { $0 == level } }

  @Test("U9: a slot that went before it had a worker is a spare slot afterwards")
  func reused() {
    let play = Play(width: 2)
    play.step { $0.resize(to: 1, now: $1) }
    let key = play.worker()
    play.arriveAll(play.submit(key), 1)
    let inner = play.submit(key) { $0.level = 1 }
    play.arriveAll(inner, 1)
    #expect(play.said().contains("run 1: 2 0..<1"))
  }

  @Test("U9: a worker that no spare slot can set up ends its map, for the other slots may be waiting for that")
  func noneSpare() {
    let (play, _) = busy(isSmooth: false)
    let other = play.worker()
    play.arriveAll(play.submit(other) { $0.level = 1 }, 1)
    play.step { $0.started(slot: 1, generation: 1, now: $1) }
    for _ in 1...3 { play.prepareFailed(1, other) }
    #expect(play.said().contains("release 2"))
  }

  @Test("U9: a worker that only a spare slot might set up ends its map, which spare slots do not run")
  func onlySpare() {
    let (play, key) = busy(isSmooth: false)
    play.arriveAll(play.submit(key) { $0.level = 1 }, 1)
    play.step { $0.started(slot: 1, generation: 1, now: $1) }
    play.prepared(1, key)
    play.finish(1, 2)
    play.finish(0, 1)
    let other = play.worker()
    play.arriveAll(play.submit(other), 1)
    for _ in 1...3 { play.prepareFailed(0, other) }
    #expect(play.said().contains("release 3"))
  }

  /// A pool of one slot, which is at an item of the second job, and has run one of the first, a level above. That has another, but the
  /// spare slot could not set its worker up.
  private func leftBehind() -> (Play, outer: JobID, inner: JobID) {
    let play = Play(width: 1, isSmooth: false)
    let keys = [play.worker(), play.worker()]
    let inner = play.submit(keys[0]) { $0.level = 1 }
    play.arrive(inner, 1)
    for slot in 0...1 { play.step { $0.started(slot: slot, generation: 1, now: $1) } }
    for _ in 1...3 { play.prepareFailed(1, keys[0]) }
    play.prepared(0, keys[0])
    play.finish(0, 1)
    let outer = play.submit(keys[1])
    play.arriveAll(outer, 1)
    play.prepared(0, keys[1])
    play.arriveAll(inner, 1)
    #expect(play.said().contains("run 0: 2 0..<1"))
    return (play, outer, inner)
  }

  private func waits(_ play: Play, _ outer: JobID, for inner: JobID) -> Bool {
    var mayWait = false
    play.step { mayWait = $0.waits(outer, level: 0, for: inner, now: $1) }
    return mayWait
  }

  @Test("a job that lost its last slot to an item that waits for it is raised once more, and asked anew of all others")
  func askedAnew() {
    let (play, outer, inner) = leftBehind()
    #expect(waits(play, outer, for: inner))
    #expect(play.said() == ["raised 1: 2", "prepare 1: 1", "start 2"])
    play.step { $0.started(slot: 2, generation: 1, now: $1) }
    for slot in 1...2 { for _ in 1...3 { play.prepareFailed(slot, WorkerKey(1)) } }
    #expect(play.said().suffix(2) == ["failed 1: setUpFailed", "release 1"])
  }

  @Test("a job that has another slot is not raised for each item that waits for it")
  func raisedOnce() {
    let (play, outer, inner) = leftBehind()
    play.step { $0.resize(to: 2, now: $1) }
    for _ in 1...DispatchLimits().mostLevels {
      for _ in 1...3 { play.prepareFailed(1, WorkerKey(1)) }
      #expect(waits(play, outer, for: inner))
    }
    #expect(!play.said().contains { $0.hasPrefix("raised") })
  }

  @Test("a worker that no spare slot can set up ends its map also if a set-up may be waiting for that")
  func noneSpareForSetUp() {
    let play = Play(width: 1, isSmooth: false)
    let key = play.worker()
    play.arriveAll(play.submit(key), 1)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    #expect(play.said().last == "prepare 0: 1")
    let other = play.worker()
    play.arriveAll(play.submit(other) { $0.level = 1 }, 1)
    play.step { $0.started(slot: 1, generation: 1, now: $1) }
    for _ in 1...3 { play.prepareFailed(1, other) }
    #expect(play.said().contains("release 2"))
  }

  @Test("U9: as many slots as a level has maps, but no more than the pool has, stand in, also when it is resized")
  func width() {
    let (play, key) = busy()
    _ = (0..<3).map { _ in play.submit(key) { $0.level = 1 } }
    #expect(spare(play) == 1)
    play.step { $0.resize(to: 2, now: $1) }
    #expect(spare(play) == 2)
    play.step { $0.resize(to: 5, now: $1) }
    #expect(spare(play) == 3)
    play.step { $0.resize(to: 1, now: $1) }
    #expect(spare(play) == 1)
    play.step { $0.resize(to: 2, now: $1) }
    #expect(spare(play) == 2)
  }

  @Test("a spare slot gets no worker for what waits in another slot, and is none of its own")
  func forNothing() {
    let play = Play(width: 1, prefetch: 8)
    let key = play.worker()
    let outer = play.submit(key)
    for _ in 0..<6 { play.arrive(outer, 1) }
    play.finish(0, 1, elapsed: 20_000)
    #expect(play.said().filter { $0.hasPrefix("run 0") }.count > 2)
    play.isSmooth = false
    let inner = play.submit(key) {
      $0.level = 1
      $0.eagerSetUp = false
    }
    play.wait(0)
    #expect(spare(play) == 1 && !play.said().contains("start 1"))
    play.arrive(inner, 1)
    #expect(play.said().contains("start 1"))
  }

  @Test("U9: what has come of an outer map is not collected for a slot that does not run it")
  func collecting() {
    let (play, key) = busy()
    play.arriveAll(play.submit(key) { $0.level = 1 }, 1)
    play.finish(1, 2)
    let other = play.submit(key)
    #expect(!play.collected.contains(other))
    play.finish(0, 1)
    #expect(play.collected.contains(other))
  }

  @Test("U9: a chunk of an outer map is not shared with a slot that does not run it")
  func sharing() {
    let play = Play(width: 1, shareTime: 0)
    let key = play.worker()
    let outer = play.submit(key) { $0.chunking = ChunkSizer(.size(3)) }
    play.arriveAll(outer, 3, each: 3)
    play.arriveAll(play.submit(key) { $0.level = 1 }, 1)
    play.finish(1, 2)
    #expect(!play.said().contains { $0.hasPrefix("share") })
  }

  @Test("U35: a map inside an item, which has begun, does not count among those that wait")
  func waiting() {
    let play = Play(width: 2)
    let key = play.worker()
    play.arriveAll(play.submit(key), 1)
    _ = play.submit(key) { $0.level = 1 }
    #expect(!play.isFull(0))
    _ = play.submit(key)
    #expect(play.isFull(0))
  }
}
