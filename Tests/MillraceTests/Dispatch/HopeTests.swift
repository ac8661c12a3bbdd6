import Millrace
import Testing

@Suite("Dispatcher: slots that get no worker")
struct DispatchHopeTests {
  private func play(width: Int) -> (Play, WorkerKey, JobID) {
    let play = Play(width: width, isSmooth: false)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 2)
    return (play, key, job)
  }

  private func startFails(_ play: Play, _ slot: Int) {
    play.step { [generation = play.generations[slot]!] in
      $0.startFailed(slot: slot, generation: generation, Trouble(), now: $1)
    }
  }

  @Test("U14: a slot that cannot set the worker up is left out while another is still at it, or has not tried")
  func setUpInOneSlot() {
    let (play, key, _) = play(width: 3)
    for slot in 0...1 { play.step { $0.started(slot: slot, generation: 1, now: $1) } }
    _ = play.said()
    for _ in 1...3 { play.prepareFailed(1, key) }
    #expect(play.said() == ["prepare 1: 1", "prepare 1: 1"])
    play.prepared(0, key)
    #expect(play.said() == ["run 0: 1 0..<1"])
  }

  @Test("U14: a worker that fails everywhere ends its map when the last slot has given it up")
  func setUpEverywhere() {
    let (play, key, _) = play(width: 2)
    for slot in 0...1 { play.step { $0.started(slot: slot, generation: 1, now: $1) } }
    for _ in 1...3 { play.prepareFailed(0, key) }
    for _ in 1...2 { play.prepareFailed(1, key) }
    #expect(!play.said().contains { $0.hasPrefix("fail") })
    play.prepareFailed(1, key)
    #expect(play.said().suffix(2) == ["failed 1: setUpFailed", "release 1"])
  }

  @Test("U14: a slot whose worker dies in set-up again and again is not started for the same map any more")
  func deathsInSetUp() {
    let (play, key, _) = play(width: 2)
    for slot in 0...1 { play.step { $0.started(slot: slot, generation: 1, now: $1) } }
    play.prepared(0, key)
    for generation in 1...3 {
      if generation > 1 { play.step { $0.started(slot: 1, generation: generation, now: $1) } }
      play.die(1)
    }
    #expect(play.said().filter { $0 == "start 1" }.count == 3)
    #expect(play.generations[1] == 3)
  }

  @Test("U14: slots that try again after a rest are not waited for when the last has failed too")
  func startsInTurns() {
    let (play, _, _) = play(width: 2)
    startFails(play, 0)
    play.wait(DispatchLimits().starts.pause)
    #expect(play.said().contains("start 0") && !play.reports.isEmpty)
    startFails(play, 1)
    #expect(play.said().contains("release 1"))
  }

  @Test("U14: slots in which one start after another does not end are waited for once each")
  func startsWithoutEnd() {
    let play = Play(width: 3, isSmooth: false)
    let job = play.submit(play.worker()) { ($0.eagerSetUp, $0.roundRobin) = (false, true) }
    play.arriveAll(job, 1)
    var said = play.said()
    var tries = 0
    while let slot = said.last(where: { $0.hasPrefix("start ") })?.last?.wholeNumberValue, tries < 12 {
      tries += 1
      play.wait(DispatchLimits().startTime!)
      play.die(slot, .cancelled)
      said = play.said()
    }
    #expect(tries == 3)
    #expect(said.suffix(2) == ["failed 1: cannotStart", "release 1"])
  }

  @Test("U14: deaths on start in one slot do not end what others serve, and it is tried again after a while")
  func deathsOnStart() {
    let (play, key, _) = play(width: 2)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    play.prepared(0, key)
    for _ in 1...4 { play.die(1) }
    #expect(!play.said().contains { $0.hasPrefix("fail") || $0.hasPrefix("complete") })
    #expect(play.generations[1] == 4)
    play.wait(play.alarm! - play.now)
    #expect(play.said() == ["start 1"])
    play.finish(0, 1)
    play.finish(0, 2)
    #expect(play.said().suffix(2) == ["complete 1", "release 1"])
  }

  @Test("U26: a start that fails makes the pool narrower, as long as there is another slot")
  func narrower() {
    let (play, key, _) = play(width: 3)
    _ = play.said()
    startFails(play, 1)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    startFails(play, 2)
    play.prepared(0, key)
    #expect(play.said() == ["prepare 0: 1", "run 0: 1 0..<1"])
    #expect(play.reports.count == 1)
  }

  @Test("U26: it is as wide as it was when another worker ends, or after a while")
  func wideAgain() {
    let (play, key, _) = play(width: 3)
    for slot in 1...2 { startFails(play, slot) }
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    play.prepared(0, key)
    _ = play.said()
    play.die(0, running: 1)
    #expect(play.said().suffix(2) == ["start 0", "start 1"])
    startFails(play, 1)
    #expect(play.said() == [])
    play.wait(play.alarm! - play.now)
    #expect(play.said() == ["start 1", "start 2"])
    #expect(play.reports.count == 1)
  }

  @Test("U26: a map fails only when no slot gets a worker, and the next one begins anew")
  func none() {
    let (play, _, _) = play(width: 2)
    _ = play.said()
    startFails(play, 0)
    #expect(play.said() == [])
    startFails(play, 1)
    #expect(play.said().suffix(2) == ["failed 1: cannotStart", "release 1"])
    let next = play.submit(WorkerKey(1))
    play.arriveAll(next, 2)
    #expect(play.said().filter { $0.hasPrefix("start") } == ["start 0", "start 1"])
  }

  @Test("U26: a worker that finds no room beside others ends its own map, not theirs")
  func besideOthers() {
    let play = Play(width: 1, isSmooth: false)
    let keys = [play.worker(), play.worker()]
    let first = play.submit(keys[0])
    play.arrive(first, 1)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    play.prepared(0, keys[0])
    let second = play.submit(keys[1]) { $0.failFast = true }
    play.arriveAll(second, 1)
    play.finish(0, 1)
    _ = play.said()
    for generation in 2...4 {
      startFails(play, 0)
      guard generation < 4 else { break }
      play.step { $0.started(slot: 0, generation: generation, now: $1) }
      play.prepared(0, keys[0])
    }
    let said = play.said()
    #expect(said.contains("failed 2: cannotStart"))
    #expect(!said.contains { $0.hasPrefix("failed 1") })
  }
}
