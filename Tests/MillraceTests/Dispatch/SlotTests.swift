import Millrace
import Testing

@Suite("Dispatcher: slots")
struct DispatchSlotTests {
  @Test("a chunk that is taken back goes to the idle slot, not to the one that it was taken from")
  func stolen() {
    let play = Play(width: 2, prefetch: 4)
    let job = play.submit(play.worker())
    play.arriveAll(job, 4)
    play.finish(0, 1)
    _ = play.said()
    play.finish(1, 2)
    #expect(play.said().last == "revoke 0: 4")
    play.revoked(0, 4)
    #expect(play.said() == ["run 1: 4 3..<4"])
  }

  @Test("a chunk that was begun meanwhile stays where it is")
  func notStolen() {
    let play = Play(width: 2, prefetch: 4)
    let job = play.submit(play.worker())
    play.arriveAll(job, 4)
    play.finish(0, 1)
    play.finish(1, 2)
    _ = play.said()
    play.revoked(0, 4, from: nil)
    #expect(!play.said().contains { $0.hasPrefix("run") })
  }

  @Test("where short chunks are the rule, one that stalls is noticed all the same")
  func stolenFromStalled() {
    let play = Play(width: 2, prefetch: 1)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 6)
    play.finish(0, 1, elapsed: 10)
    play.finish(1, 2, elapsed: 10)
    play.finish(1, 5, elapsed: 10)
    _ = play.said()
    play.finish(1, 6, elapsed: 10)
    #expect(play.said() == [])
    play.wait(play.alarm! - play.now)
    #expect(play.said() == ["revoke 0: 4"])
  }

  /// Finishes what slot 0 is given, one after another, until it is to do something else; how many chunks that were.
  private func finishAll(_ play: Play, until isEnough: (String) -> Bool) -> Int {
    var given: [Int] = []
    var finished = 0
    while true {
      for line in play.said() {
        if isEnough(line) { return finished }
        if line.hasPrefix("run") { given.append(Int(line.split(separator: " ")[2])!) }
      }
      guard !given.isEmpty else { return finished }
      finished += 1
      play.finish(0, given.removeFirst())
    }
  }

  @Test("a slot that always has another chunk is set up for another job nevertheless", arguments: [true, false])
  func setUpBesideWork(eager: Bool) {
    let play = Play(width: 1, prefetch: 2)
    let first = play.submit(play.worker()) { $0.readsAtOnce = true }
    play.arrive(first, 64)
    let second = play.submit(play.worker()) { $0.eagerSetUp = eager }
    play.arrive(second, 1)
    let finished = finishAll(play) { line in
      guard line.hasPrefix("run"), let id = Int(line.split(separator: " ")[2]) else { return false }
      return play.chunks[id]?.job == second
    }
    #expect(play.chunks.values.contains { $0.job == second })
    #expect(finished < 10)
  }

  @Test("a worker that nobody needs is torn down in a slot that always has another chunk")
  func tearDownBesideWork() {
    let play = Play(width: 1, prefetch: 2)
    let keys = [play.worker(), play.worker()]
    let brief = play.submit(keys[1])
    play.arriveAll(brief, 1)
    play.finish(0, 1)
    _ = play.said()
    let long = play.submit(keys[0]) { $0.readsAtOnce = true }
    play.arrive(long, 64)
    play.step { $0.close(keys[1], now: $1) }
    var isTornDown = false
    let finished = finishAll(play) { line in
      if line == "tearDown 0: 2" { isTornDown = true }
      return isTornDown
    }
    #expect(isTornDown)
    #expect(finished < 10)
  }

  @Test("a slot that goes finishes what it was given")
  func shrink() {
    let play = Play(width: 2)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 3)
    _ = play.said()
    play.step { $0.resize(to: 1, now: $1) }
    #expect(play.said() == [])
    play.finish(1, 2)
    #expect(play.said() == ["tearDown 1: 1"])
    play.step { $0.tornDown(slot: 1, generation: 1, key, now: $1) }
    #expect(play.said() == ["stop 1"])
    play.die(1, .cancelled)
    play.finish(0, 1)
    #expect(play.said() == ["deliver 1: 0..<1", "deliver 1: 1..<2", "run 0: 3 2..<3"])
  }

  @Test("no worker is started for a job that is over")
  func nothingToDo() {
    let play = Play(width: 1, isSmooth: false)
    let job = play.submit(play.worker())
    play.arriveAll(job, 2)
    play.step { $0.cancel(job, now: $1) }
    _ = play.said()
    play.die(0)
    #expect(play.said() == [])
  }

  @Test("workers that die on start again and again end the jobs")
  func restartIntensity() {
    let play = Play(width: 1, isSmooth: false)
    let job = play.submit(play.worker())
    play.arriveAll(job, 1)
    _ = play.said()
    for _ in 1...3 {
      play.die(0)
      #expect(play.said() == ["start 0"])
    }
    play.die(0)
    #expect(play.said() == ["failure 1: 0 attempt 1 set-up failed", "failed 1: cannotStart", "release 1"])
  }
}
