import Millrace
import Testing

/// Nobody has set a limit, and nobody wants more than the end.
@Suite("Dispatcher: waits on the way to the end")
struct DispatchLeavingTests {
  private let patience = DispatchLimits().leavingTime

  private func busy() -> (Play, WorkerKey, JobID) {
    let play = Play(width: 1)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 1)
    return (play, key, job)
  }

  @Test("U12: a tear-down that does not end holds a shutdown up for so long only")
  func tearDownInShutdown() {
    let (play, _, _) = busy()
    play.finish(0, 1)
    play.step { $0.shutDown(now: $1) }
    #expect(play.said().last == "tearDown 0: 1")
    play.wait(patience - 1)
    #expect(play.said() == [])
    play.wait(1)
    #expect(play.said() == ["kill 0"])
    play.die(0, .cancelled)
    #expect(play.said() == ["closed 1", "stopped"])
  }

  @Test("U12: nor the tear-down of a worker that was being replaced when the pool was shut down")
  func tearDownOfReplacedInShutdown() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) { $0.lifespan.items = 1 }
    play.arriveAll(job, 2)
    play.finish(0, 1)
    #expect(play.said().last == "tearDown 0: 1")
    #expect(play.alarm == nil)
    play.step { $0.cancel(job, now: $1) }
    play.step { $0.shutDown(now: $1) }
    _ = play.said()
    play.wait(patience)
    #expect(play.said() == ["kill 0"])
  }

  @Test("U12: nor one that somebody waits for, or one in a slot that goes", arguments: [true, false])
  func tearDownAwaited(isClosed: Bool) {
    let (play, key, _) = busy()
    play.finish(0, 1)
    play.step { isClosed ? $0.close(key, now: $1) : $0.resize(to: 0, now: $1) }
    #expect(play.said().last == "tearDown 0: 1")
    play.wait(patience)
    #expect(play.said() == ["kill 0"])
  }

  @Test("U12: a set-up that nobody wants any more holds a shutdown up for so long only")
  func setUpInShutdown() {
    let play = setUpLeftOver()
    play.step { $0.shutDown(now: $1) }
    let said = play.said()
    #expect(said.contains("cancelSetUp 1: 1") && said.contains("tearDown 0: 1"))
    play.step { $0.tornDown(slot: 0, generation: 1, WorkerKey(1), now: $1) }
    #expect(play.said() == ["stop 0"])
    play.die(0, .cancelled)
    play.wait(patience)
    #expect(play.said() == ["kill 1"])
    play.die(1, .cancelled)
    #expect(play.said().last == "stopped")
  }

  private func settingUp(width: Int = 1, keeps: Bool = true) -> (Play, WorkerKey, JobID) {
    let play = Play(width: width, isSmooth: false)
    let key = play.worker()
    let job = play.submit(key) { $0.keepsWorkers = keeps }
    play.arrive(job, width)
    for slot in 0..<width { play.step { $0.started(slot: slot, generation: 1, now: $1) } }
    _ = play.said()
    return (play, key, job)
  }

  @Test(
    "the set-up of a map that was given up is told so, and has the time that an item has", arguments: [true, false])
  func setUpGivenUp(keeps: Bool) {
    let (play, _, job) = settingUp(keeps: keeps)
    let other = play.submit(play.worker())
    play.arriveAll(other, 1)
    _ = play.said()
    play.step { $0.cancel(job, now: $1) }
    #expect(play.said() == ["cancelled 1", "cancelSetUp 0: 1", "release 1"])
    play.wait(DispatchLimits().cancellationGrace)
    #expect(play.said() == ["kill 0"])
    play.die(0, .cancelled)
    #expect(play.said() == (keeps ? [] : ["closed 1"]) + ["start 0"])
    #expect(play.reports == [])
  }

  @Test("who wants the worker again has it set up again, and what was given up is no failure of that")
  func setUpWantedAgain() {
    let (play, key, job) = settingUp()
    play.step { $0.cancel(job, now: $1) }
    let again = play.submit(key)
    play.arriveAll(again, 1)
    _ = play.said()
    play.step { $0.prepareFailed(slot: 0, generation: 1, key, CancellationError(), now: $1) }
    #expect(play.said() == ["prepare 0: 1"])
    play.prepared(0, key)
    #expect(play.said().last?.hasPrefix("run 0") == true)
    #expect(play.reports == [])
  }

  @Test(
    "a set-up that was told, for others waited for its slot, is no failure of who wants the worker again",
    arguments: [true, false])
  func setUpToldWantedAgain(itThrows: Bool) {
    let play = setUpLeftOver()
    play.arriveAll(play.submit(play.worker()) { $0.eagerSetUp = false }, 4)
    #expect(play.said().contains("cancelSetUp 1: 1"))
    let key = WorkerKey(1)
    play.arriveAll(play.submit(key), 1)
    if itThrows {
      play.prepareFailed(1, key)
    } else {
      play.wait(patience)
      play.die(1, .cancelled)
      play.step { $0.started(slot: 1, generation: 2, now: $1) }
    }
    for _ in 1...2 { play.prepareFailed(1, key) }
    #expect(play.said().filter { $0 == "prepare 1: 1" }.count == 3)
  }

  // It failed when it was over by its third time, though the first was another map's.
  @Test("what was given up and died is no failure of who wants the worker again")
  func setUpDiedWantedAgain() {
    let (play, key, job) = settingUp()
    play.step { $0.cancel(job, now: $1) }
    play.arriveAll(play.submit(key), 1)
    play.die(0)
    for generation in 2...3 {
      play.step { $0.started(slot: 0, generation: generation, now: $1) }
      play.die(0)
    }
    play.step { $0.started(slot: 0, generation: 4, now: $1) }
    _ = play.said()
    play.prepared(0, key)
    #expect(play.said().last?.hasPrefix("run 0") == true)
  }

  /// The map is complete, and in the second slot its worker is still being set up.
  private func setUpLeftOver() -> Play {
    let (play, key, job) = settingUp(width: 2)
    play.prepared(0, key)
    play.finish(0, 1)
    play.arrive(job, 0, ended: true)
    let said = play.said()
    #expect(said.contains("complete 1") && !said.contains { $0.hasPrefix("cancelSetUp") })
    return play
  }

  @Test("a set-up that is left of a map goes on for the next, until others wait for its slot for too long")
  func setUpLeft() {
    let play = setUpLeftOver()
    play.wait(1_000 * patience)
    #expect(play.said() == [])
    play.arriveAll(play.submit(play.worker()), 4)
    #expect(play.said().contains("cancelSetUp 1: 1"))
    play.wait(patience)
    #expect(play.said().contains("kill 1"))
  }

  @Test("a set-up in a slot that is taken away is not told while somebody wants its worker")
  func setUpInLeavingSlot() {
    let (play, key, _) = settingUp(width: 2)
    play.step { $0.resize(to: 1, now: $1) }
    #expect(!play.said().contains { $0.hasPrefix("cancelSetUp") })
    play.step { $0.prepareFailed(slot: 1, generation: 1, key, CancellationError(), now: $1) }
    #expect(play.said() == ["stop 1"])
  }

  @Test("U12: while maps run, a set-up and a tear-down without a limit take what they take")
  func noLimit() {
    let play = Play(width: 2, isSmooth: false)
    let keys = [play.worker(), play.worker()]
    let long = play.submit(keys[0])
    play.arrive(long, 1)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    play.step { $0.started(slot: 1, generation: 1, now: $1) }
    play.prepared(0, keys[0])
    _ = play.said()
    play.wait(1_000 * patience)
    #expect(play.said() == [])
  }

  @Test("U12: a user's limit holds, if it is a longer one too")
  func longerLimit() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) { [patience] in $0.tearDownTimeout = 4 * patience }
    play.arriveAll(job, 1)
    play.finish(0, 1)
    play.step { $0.shutDown(now: $1) }
    _ = play.said()
    play.wait(3 * patience)
    #expect(play.said() == [])
    play.wait(patience)
    #expect(play.said() == ["kill 0"])
  }

  @Test("U12: a worker that is not gone when it was killed is given up; its item is not tried again")
  func outlivesKill() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.itemTimeout = 50
      $0.retries = 3
    }
    play.arriveAll(job, 2)
    play.wait(50)
    play.step { [now = play.now] in
      $0.inspected(slot: 0, generation: 1, chunk: 1, .item(0, since: now - 50), now: $1)
    }
    #expect(play.said().last == "kill 0")
    play.wait(DispatchLimits().killTime)
    #expect(play.said() == ["failure 1: 0 attempt 1 timed out", "run 0: 2 1..<2"])
    play.step { $0.terminate(now: $1) }
    play.wait(DispatchLimits().killTime)
    #expect(play.said().suffix(2) == ["closed 1", "stopped"])
  }

  @Test("U12: a start that does not end is given up, and the map ends if there is no other slot")
  func start() {
    let play = Play(width: 1, isSmooth: false)
    let job = play.submit(play.worker())
    play.arriveAll(job, 1)
    _ = play.said()
    play.wait(DispatchLimits().startTime!)
    #expect(play.said() == ["kill 0"])
    play.die(0, .cancelled)
    #expect(play.said() == ["failure 1: 0 attempt 1 set-up failed", "failed 1: cannotStart", "release 1"])
  }

  @Test("a worker that the pool has ended for what another did in its process has not died by itself, however often")
  func forAnother() {
    let play = Play(width: 1, isSmooth: false)
    play.arriveAll(play.submit(play.worker()), 1)
    for generation in 1...10 {
      #expect(play.said().contains("start 0"))
      play.step { $0.started(slot: 0, generation: generation, now: $1) }
      #expect(play.said().contains { $0.hasPrefix("prepare 0") })
      play.die(0, .cancelled, suspects: 2)
    }
    #expect(play.said() == ["start 0"])
  }
}
