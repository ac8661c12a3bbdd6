import Millrace
import Testing

@Suite("Dispatcher: failures, retries, blame")
struct DispatchFailureTests {
  @Test("a failed item is tried again after its back-off, by itself")
  func backoff() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.chunking = ChunkSizer(.size(2))
      $0.retries = 1
      $0.backoff = .constant(.milliseconds(10))
    }
    play.arriveAll(job, 2, each: 2)
    _ = play.said()
    play.fail(0, 1)
    play.finish(0, 1)
    #expect(play.said() == [])
    play.wait(4_000_000)
    #expect(play.said() == [])
    play.wait(6_000_000)
    #expect(play.said() == ["run 0: 2 0..<1 attempt 2"])
    play.fail(0, 2)
    #expect(play.said() == ["failure 1: 0 attempt 2 threw", "deliver 1: 1..<2", "complete 1", "cancel 0: 2"])
  }

  @Test("an alarm that has rung is taken back")
  func alarmIsTakenBack() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.retries = 1
      $0.backoff = .constant(.milliseconds(10))
    }
    play.arriveAll(job, 1)
    play.fail(0, 1)
    play.finish(0, 1)
    #expect(play.alarm != nil)
    play.wait(10_000_000)
    #expect(play.alarm == nil)
  }

  @Test("a crash is the fault of the item that ran; what was before it is kept, what is behind it goes on")
  func crash() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) { $0.chunking = ChunkSizer(.size(4)) }
    play.arriveAll(job, 4, each: 4)
    _ = play.said()
    play.step { $0.completed(slot: 0, generation: 1, chunk: 1, upTo: 2, outputs: Play.Cell(), now: $1) }
    play.die(0, running: 1)
    #expect(play.said() == ["deliver 1: 0..<2", "failure 1: 2 attempt 1 crashed", "run 0: 1 3..<4"])
  }

  @Test("a worker that dies between items blames nobody")
  func idleDeath() {
    let play = Play(width: 1)
    let job = play.submit(play.worker())
    play.arriveAll(job, 1)
    _ = play.said()
    play.die(0)
    #expect(play.said() == ["run 0: 1 0..<1"])
  }

  @Test("U15: where it is not known which of several items did it, each is run again by itself, in its slot")
  func suspects() {
    let play = Play(width: 2)
    let job = play.submit(play.worker()) { $0.chunking = ChunkSizer(.size(2)) }
    play.arriveAll(job, 4, each: 2)
    _ = play.said()
    play.die(0, running: 1, suspects: 2)
    #expect(play.said() == ["run 0: 3 0..<1"])
    play.die(1, running: 2, suspects: 2)
    #expect(play.said() == ["run 1: 4 2..<3"])
    // It has done it again: nobody is asked a third time.
    play.die(0, running: 3, suspects: 2)
    #expect(play.said() == ["failure 1: 0 attempt 1 crashed", "run 0: 1 1..<2"])
    play.finish(1, 4)
    #expect(play.said() == ["run 1: 2 3..<4"])
  }

  @Test("an item that keeps crashing is quarantined")
  func quarantine() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.retries = 10
      $0.crashLimit = 2
    }
    play.arriveAll(job, 1)
    play.die(0, running: 1)
    _ = play.said()
    play.die(0, running: 2)
    #expect(play.said().first == "failure 1: 0 attempt 2 quarantined after 2")
  }

  @Test("what a written-off worker says is ignored")
  func late() {
    let play = Play(width: 1)
    let job = play.submit(play.worker())
    play.arriveAll(job, 1)
    play.die(0)
    _ = play.said()
    play.step { $0.finished(slot: 0, generation: 1, chunk: 1, outputs: Play.Cell(), items: 1, elapsed: 1, now: $1) }
    #expect(play.said() == [])
    play.finish(0, 1)
    #expect(play.said().first == "deliver 1: 0..<1")
  }

  @Test("fail-fast ends the job, and cancels nothing of the chunk that is finished")
  func failFast() {
    let play = Play(width: 2)
    let job = play.submit(play.worker()) { $0.failFast = true }
    play.arriveAll(job, 2)
    _ = play.said()
    play.fail(0, 1)
    #expect(play.said() == ["failed 1: ItemFailure", "cancel 0: 1", "cancel 1: 2"])
    let other = Play(width: 1)
    let last = other.submit(other.worker())
    other.arriveAll(last, 1)
    _ = other.said()
    other.finish(0, 1)
    #expect(other.said() == ["deliver 1: 0..<1", "complete 1", "release 1"])
  }

  @Test("the rest of a dead worker's chunk does not outlive its job, round-robin")
  func restOfChunk() {
    let play = Play(width: 2)
    let job = play.submit(play.worker()) {
      $0.failFast = true
      $0.roundRobin = true
      $0.chunking = ChunkSizer(.size(3))
    }
    play.arriveAll(job, 6, each: 3)
    _ = play.said()
    play.die(0, running: 1)
    #expect(play.said() == ["failed 1: ItemFailure", "cancel 1: 2"])
  }

  @Test("more failures than allowed end the job")
  func maximumFailures() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) { $0.maximumFailures = 1 }
    play.arriveAll(job, 3)
    play.fail(0, 1)
    play.finish(0, 1)
    _ = play.said()
    play.fail(0, 2)
    #expect(play.said() == ["failure 1: 1 attempt 1 threw", "failed 1: tooManyFailures", "cancel 0: 2"])
  }
}
