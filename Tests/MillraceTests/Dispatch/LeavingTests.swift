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
    let play = Play(width: 1, isSmooth: false)
    let job = play.submit(play.worker())
    play.arriveAll(job, 1)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    play.step { $0.cancel(job, now: $1) }
    _ = play.said()
    play.step { $0.shutDown(now: $1) }
    #expect(play.said() == ["cancelSetUp 0: 1"])
    play.wait(patience)
    #expect(play.said() == ["kill 0"])
    play.die(0, .cancelled)
    #expect(play.said() == ["closed 1", "stopped"])
  }

  @Test("a set-up is told that nobody wants its worker, and not while somebody does")
  func setUpCancelled() {
    let play = Play(width: 2, isSmooth: false)
    let key = play.worker()
    let job = play.submit(key)
    play.arrive(job, 2)
    for slot in 0...1 { play.step { $0.started(slot: slot, generation: 1, now: $1) } }
    _ = play.said()
    play.step { $0.resize(to: 1, now: $1) }
    #expect(play.said() == [])
    // It is kept: the next map may want it.
    play.step { $0.cancel(job, now: $1) }
    #expect(!play.said().contains { $0.hasPrefix("cancelSetUp") })
    play.step { $0.close(key, now: $1) }
    #expect(play.said() == ["cancelSetUp 0: 1"])
    for slot in 0...1 {
      play.step { $0.prepareFailed(slot: slot, generation: 1, key, CancellationError(), now: $1) }
    }
    #expect(play.said() == ["closed 1", "stop 1"])
    #expect(play.reports == [])
  }

  @Test("a set-up of a worker that is not kept is told when its map is over, and holds its slot for so long only")
  func setUpOfNobody() {
    let play = Play(width: 1, isSmooth: false)
    let (key, other) = (play.worker(), play.worker())
    let job = play.submit(key) { $0.keepsWorkers = false }
    play.arriveAll(job, 1)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    play.arriveAll(play.submit(other), 1)
    _ = play.said()
    play.step { $0.cancel(job, now: $1) }
    #expect(play.said() == ["cancelled 1", "release 1", "cancelSetUp 0: 1"])
    play.wait(patience)
    #expect(play.said() == ["kill 0"])
    play.die(0, .cancelled)
    #expect(play.said() == ["closed 1", "start 0"])
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
    #expect(play.said() == ["failure 1: 0 attempt 1 set-up failed", "complete 1", "release 1"])
  }
}
