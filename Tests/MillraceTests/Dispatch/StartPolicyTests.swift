import Millrace
import Testing

@Suite("Dispatcher: a backend whose slots speak for themselves")
struct StartPolicyTests {
  /// As of several machines, each of which is asked twice.
  private var members: StartPolicy {
    var policy = StartPolicy()
    policy.isForRoom = false
    policy.attempts = 2
    return policy
  }

  private func play(width: Int) -> Play {
    let play = Play(width: width, isSmooth: false, starts: members)
    play.arriveAll(play.submit(play.worker()), 1)
    _ = play.said()
    return play
  }

  private func startFails(_ play: Play, _ slot: Int) {
    play.step { [generation = play.generations[slot]!] in
      $0.startFailed(slot: slot, generation: generation, Trouble(), now: $1)
    }
  }

  @Test("one member that cannot be reached ends no map, though no other has a worker yet")
  func unreachable() {
    let play = play(width: 2)
    for slot in 0...1 { startFails(play, slot) }
    #expect(play.said() == [] && play.reports.count == 2)
    play.wait(play.alarm! - play.now)
    #expect(play.said() == ["start 0", "start 1"])
    startFails(play, 1)
    play.step { $0.started(slot: 0, generation: 2, now: $1) }
    play.prepared(0, WorkerKey(1))
    play.finish(0, 1)
    #expect(
      play.said() == [
        "prepare 0: 1", "run 0: 1 0..<1", "deliver 1: 0..<1", "complete 1", "release 1",
      ])
    // Of each it was said once.
    #expect(play.reports.count == 2)
  }

  @Test("a map ends when each has failed as often as it is asked")
  func inTheEnd() {
    let play = play(width: 2)
    for slot in 0...1 { startFails(play, slot) }
    play.wait(play.alarm! - play.now)
    startFails(play, 0)
    #expect(play.said() == ["start 0", "start 1"])
    startFails(play, 1)
    #expect(play.said().last == "release 1")
  }

  @Test("the end of another's worker is no reason to ask again")
  func noRoom() {
    let play = play(width: 2)
    startFails(play, 1)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    play.prepared(0, WorkerKey(1))
    _ = play.said()
    play.die(0, running: 1)
    #expect(!play.said().contains("start 1"))
  }

  @Test("U242: where items may be run yet by others, those of a job that ends for want of workers have not failed")
  func unfailed() {
    var policy = members
    policy.attempts = 1
    policy.failsItems = false
    let play = Play(width: 1, isSmooth: false, starts: policy)
    let job = play.submit(play.worker())
    play.arriveAll(job, 3)
    _ = play.said()
    startFails(play, 0)
    #expect(play.said() == ["failed 1: cannotStart", "release 1"])
  }
}
