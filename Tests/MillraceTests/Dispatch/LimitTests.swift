import Millrace
import Testing

@Suite("Dispatcher: time limits and lifespans")
struct DispatchLimitTests {
  @Test("an item that runs too long has its worker killed, and is to blame alone")
  func timeout() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.itemTimeout = 50
      $0.chunking = ChunkSizer(.size(2))
    }
    play.arriveAll(job, 2, each: 2)
    _ = play.said()
    play.wait(50)
    #expect(play.said() == ["inspect 0: 1"])
    play.step { $0.inspected(slot: 0, generation: 1, chunk: 1, .item(0, since: $1 - 50), now: $1) }
    #expect(play.said() == ["kill 0"])
    play.die(0, running: 1)
    #expect(play.said() == ["failure 1: 0 attempt 1 timed out", "run 0: 1 1..<2"])
  }

  @Test("an item that was made while its worker was being killed keeps its output, and the next is not to blame")
  func timeoutTooLate() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.itemTimeout = 50
      $0.chunking = ChunkSizer(.size(2))
    }
    play.arriveAll(job, 2, each: 2)
    play.wait(50)
    play.step { $0.inspected(slot: 0, generation: 1, chunk: 1, .item(0, since: $1 - 50), now: $1) }
    _ = play.said()
    play.step { $0.completed(slot: 0, generation: 1, chunk: 1, upTo: 1, outputs: Play.Cell(), now: $1) }
    play.die(0, running: 1)
    #expect(play.said() == ["deliver 1: 0..<1", "run 0: 1 1..<2"])
  }

  @Test("an item that runs too long behind another worker's chunk, in a process of its own, is noticed and to blame")
  func timeoutBehindAnother() {
    let play = Play(width: 1, prefetch: 2)
    let keys = [play.worker(), play.worker()]
    let brief = keys.map { key in play.submit(key) { $0.itemTimeout = 50 } }
    for (chunk, job) in brief.enumerated() {
      play.arriveAll(job, 1)
      play.finish(0, chunk + 1)
    }
    let first = play.submit(keys[0])
    play.arriveAll(first, 1)
    let second = play.submit(keys[1]) { $0.itemTimeout = 50 }
    play.arriveAll(second, 1)
    #expect(play.said().suffix(3).contains("run 0: 4 0..<1"))
    play.wait(50)
    #expect(play.said() == ["inspect 0: 4"])
    play.step { $0.inspected(slot: 0, generation: 1, chunk: 4, .item(0, since: $1 - 50), now: $1) }
    #expect(play.said() == ["kill 0"])
    var death = Death(running: 4, cause: .cancelled)
    death.running[3] = true
    play.step { [death] in $0.died(slot: 0, generation: 1, death, now: $1) }
    #expect(play.said() == ["failure 4: 0 attempt 1 timed out", "complete 4", "release 4", "run 0: 3 0..<1"])
  }

  /// An item has a limit of 50, and when that is over its worker has not taken it.
  private func playToSilence() -> Play {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) { $0.itemTimeout = 50 }
    play.arriveAll(job, 1)
    _ = play.said()
    play.wait(50)
    play.step { $0.inspected(slot: 0, generation: 1, chunk: 1, .untouched, now: $1) }
    #expect(play.said() == ["inspect 0: 1"])
    return play
  }

  @Test("a worker that does not take its chunk for a second is ended, and nobody is to blame")
  func silent() {
    let play = playToSilence()
    play.wait(1_000_000_000)
    #expect(play.said() == ["inspect 0: 1"])
    play.step { $0.inspected(slot: 0, generation: 1, chunk: 1, .untouched, now: $1) }
    #expect(play.said() == ["kill 0"])
    play.die(0)
    #expect(play.said().last == "run 0: 1 0..<1")
  }

  @Test("an item that began while its worker was taken to be silent is held to its own limit")
  func beginsLate() {
    let play = playToSilence()
    let begun = play.now + 10
    play.wait(1_000_000_000 / 32)
    #expect(play.said() == ["inspect 0: 1"])
    play.step { $0.inspected(slot: 0, generation: 1, chunk: 1, .item(0, since: begun), now: $1) }
    #expect(play.said() == ["kill 0"])
  }

  @Test("a worker that does not come to begin an item for a second is ended for that item")
  func stuckBeforeAnItem() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.itemTimeout = 50
      $0.chunking = ChunkSizer(.size(2))
    }
    play.arriveAll(job, 2, each: 2)
    play.wait(50)
    play.step { $0.inspected(slot: 0, generation: 1, chunk: 1, .item(0, since: nil), now: $1) }
    play.wait(1_000_000_000)
    // It has come to the next one meanwhile.
    play.step { $0.inspected(slot: 0, generation: 1, chunk: 1, .item(1, since: nil), now: $1) }
    play.step { $0.completed(slot: 0, generation: 1, chunk: 1, upTo: 1, outputs: Play.Cell(), now: $1) }
    _ = play.said()
    play.wait(1_000_000_000)
    play.step { $0.inspected(slot: 0, generation: 1, chunk: 1, .item(1, since: nil), now: $1) }
    #expect(play.said() == ["inspect 0: 1", "kill 0"])
    play.die(0, running: 1)
    #expect(play.said().first == "failure 1: 1 attempt 1 timed out")
  }

  @Test("what was before a standstill of the whole program does not count")
  func standstill() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) { $0.itemTimeout = 50 }
    play.arriveAll(job, 1)
    _ = play.said()
    play.now += 1_000
    play.step { $0.stoodStill(now: $1) }
    play.wait(49)
    #expect(play.said() == [])
    play.wait(1)
    #expect(play.said() == ["inspect 0: 1"])
    play.step { $0.inspected(slot: 0, generation: 1, chunk: 1, .item(0, since: 0), now: $1) }
    #expect(play.said() == ["kill 0"])
  }

  @Test("a worker that does not end is killed")
  func ending() {
    let play = Play(width: 1)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 1)
    play.finish(0, 1)
    play.step { $0.shutDown(now: $1) }
    play.step { $0.tornDown(slot: 0, generation: 1, key, now: $1) }
    #expect(play.said().last == "stop 0")
    play.wait(5_000_000_000)
    #expect(play.said() == ["kill 0"])
    play.die(0)
    #expect(play.said().last == "stopped")
  }

  @Test("an item of a job that is over has the grace, then its worker is killed")
  func abandoned() {
    let play = Play(width: 1)
    let job = play.submit(play.worker())
    play.arriveAll(job, 1)
    _ = play.said()
    play.step { $0.cancel(job, now: $1) }
    #expect(play.said() == ["cancelled 1", "cancel 0: 1"])
    play.wait(300_000_000)
    #expect(play.said() == ["kill 0"])
    play.die(0, running: 1)
    #expect(play.said() == ["release 1"])
  }

  @Test("a worker that has served its items is torn down, stopped and replaced")
  func lifespan() {
    let play = Play(width: 1)
    let key = play.worker()
    let job = play.submit(key) { $0.lifespan.items = 1 }
    play.arriveAll(job, 2)
    _ = play.said()
    play.finish(0, 1)
    #expect(play.said() == ["deliver 1: 0..<1", "tearDown 0: 1"])
    play.step { $0.tornDown(slot: 0, generation: 1, key, now: $1) }
    #expect(play.said() == ["stop 0"])
    play.die(0, .cancelled)
    #expect(play.said() == ["run 0: 2 1..<2"])
    #expect(play.generations[0] == 2)
  }

  @Test("a set-up that takes too long is ended and tried again")
  func setUpTimeout() {
    let play = Play(width: 1, isSmooth: false)
    let key = play.worker()
    let job = play.submit(key) { $0.setUpTimeout = 50 }
    play.arriveAll(job, 1)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    _ = play.said()
    play.wait(50)
    #expect(play.said() == ["kill 0"])
    play.die(0)
    #expect(play.said() == ["start 0"])
  }
}
