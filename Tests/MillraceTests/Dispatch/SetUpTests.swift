import Millrace
import Testing

@Suite("Dispatcher: set-up, tear-down, the end")
struct DispatchSetUpTests {
  /// Two slots of which one has the worker and the other has failed to set it up once too often.
  private func benched(_ change: (inout JobSpec) -> Void = { _ in }) -> Play {
    let play = Play(width: 2, isSmooth: false)
    let key = play.worker()
    let job = play.submit(key, change)
    play.arriveAll(job, 4)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    play.step { $0.started(slot: 1, generation: 1, now: $1) }
    play.prepared(0, key)
    for _ in 1...3 { play.prepareFailed(1, key) }
    return play
  }

  @Test("U321: a worker that can be set up nowhere ends its job, and that says why, also behind its last item")
  func nowhere() {
    let play = Play(width: 1, isSmooth: false)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 1)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    for _ in 1...2 { play.prepareFailed(0, key) }
    _ = play.said()
    play.prepareFailed(0, key)
    #expect(play.said() == ["failure 1: 0 attempt 1 set-up failed", "failed 1: setUpFailed", "release 1"])
  }

  @Test("somebody who kills workers in their set-up has to do so more often")
  func killedInSetUp() {
    let play = Play(width: 1, isSmooth: false)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 1)
    for generation in 1...24 {
      play.step { $0.started(slot: 0, generation: generation, now: $1) }
      play.die(0, .crashed(.killedFromOutside, signal: 9))
    }
    #expect(!play.said().contains { $0.hasPrefix("failure") })
    play.step { $0.started(slot: 0, generation: 25, now: $1) }
    play.die(0, .crashed(.killedFromOutside, signal: 9))
    #expect(play.said().dropFirst() == ["failure 1: 0 attempt 1 set-up failed", "failed 1: cannotStart", "release 1"])
  }

  /// A slot in which workers of three maps are to be set up; the first two are.
  private func settingUpThree() -> (Play, [WorkerKey]) {
    let play = Play(width: 1, isSmooth: false)
    let keys = (1...3).map { _ in play.worker() }
    for key in keys { play.arriveAll(play.submit(key), 1) }
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    for key in keys.prefix(2) { play.prepared(0, key) }
    #expect(play.said().suffix(3) == ["prepare 0: 1", "prepare 0: 2", "prepare 0: 3"])
    return (play, keys)
  }

  @Test("a slot whose worker ended in set-ups, and had run nothing, sets up only what it is to run")
  func startsBare() {
    let (play, keys) = settingUpThree()
    play.die(0, nil)
    play.step { $0.started(slot: 0, generation: 2, now: $1) }
    #expect(play.said() == ["start 0", "prepare 0: 1"])
    play.prepared(0, keys[0])
    #expect(play.said() == ["run 0: 1 0..<1"])
    play.die(0, nil)
    play.step { $0.started(slot: 0, generation: 3, now: $1) }
    for key in keys { play.prepared(0, key) }
    #expect(play.said().dropLast() == ["start 0", "prepare 0: 1", "prepare 0: 2", "prepare 0: 3"])
  }

  @Test("a slot that cannot set it up is left out while others go on")
  func leftOut() {
    let play = benched()
    let said = play.said()
    #expect(said.filter { $0.hasPrefix("run") } == ["run 0: 1 0..<1"])
    #expect(said.filter { $0.hasPrefix("prepare 1") }.count == 3)
  }

  @Test("it is asked again when those that have the worker go")
  func leftOutAndAlone() {
    let play = Play(width: 2, isSmooth: false)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 4)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    play.step { $0.started(slot: 1, generation: 1, now: $1) }
    play.prepared(1, key)
    for _ in 1...3 { play.prepareFailed(0, key) }
    _ = play.said()
    play.step { $0.resize(to: 1, now: $1) }
    #expect(play.said() == ["prepare 0: 1"])
  }

  @Test("round-robin passes its turn on")
  func leftOutRoundRobin() {
    let play = benched { $0.roundRobin = true }
    _ = play.said()
    for chunk in [1, 3, 2, 4] {
      play.finish(0, chunk)
    }
    #expect(play.said().suffix(2) == ["complete 1", "release 1"])
  }

  @Test("a worker that is not kept is closed, though a slot was to set it up once more")
  func closed() {
    let play = Play(width: 2, isSmooth: false)
    let key = play.worker()
    let job = play.submit(key) { $0.keepsWorkers = false }
    play.arriveAll(job, 1)
    play.step { $0.started(slot: 0, generation: 1, now: $1) }
    play.step { $0.started(slot: 1, generation: 1, now: $1) }
    play.prepared(0, key)
    play.die(1)
    _ = play.said()
    play.finish(0, 1)
    #expect(play.said() == ["deliver 1: 0..<1", "complete 1", "release 1", "tearDown 0: 1"])
    play.step { $0.tornDown(slot: 0, generation: 1, key, now: $1) }
    #expect(play.said() == ["closed 1"])
  }

  @Test("shutting down ends what is read, tears down, and stops")
  func shutDown() {
    let play = Play(width: 1)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 1)
    play.step { $0.shutDown(now: $1) }
    _ = play.said()
    play.finish(0, 1)
    #expect(play.said() == ["deliver 1: 0..<1", "complete 1", "release 1", "tearDown 0: 1"])
    play.step { $0.tornDown(slot: 0, generation: 1, key, now: $1) }
    #expect(play.said() == ["stop 0"])
    play.die(0, .cancelled)
    #expect(play.said() == ["closed 1", "stopped"])
  }

  @Test("shutting down does not wait for a stream's input that blocks")
  func shutDownWhileInputBlocks() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) { $0.isPulled = true }
    #expect(play.said() == ["read 1: 1"])
    play.step { $0.shutDown(now: $1) }
    #expect(play.said() == ["failed 1: closed", "release 1", "closed 1", "stopped"])
    play.arrive(job, 1)
    #expect(play.said() == [])
  }

  @Test(
    "U330: where starts wait for others, a slot that starts, and that nobody needs, does not hold up the pool's end")
  func shutDownWhileStarting() {
    for waits in [false, true] {
      var starts = StartPolicy()
      starts.waitsForOthers = waits
      let play = Play(width: 1, isSmooth: false, starts: starts)
      let job = play.submit(play.worker())
      play.arriveAll(job, 1)
      play.step { $0.cancel(job, now: $1) }
      _ = play.said()
      play.step { $0.shutDown(now: $1) }
      #expect(play.said() == (waits ? ["kill 0"] : []))
      guard waits else { continue }
      play.die(0, .cancelled)
      #expect(play.said() == ["closed 1", "stopped"])
    }
  }

  @Test("terminating kills, and waits for the deaths alone")
  func terminate() {
    let play = Play(width: 1)
    let job = play.submit(play.worker())
    play.arriveAll(job, 1)
    _ = play.said()
    play.step { $0.terminate(now: $1) }
    #expect(play.said() == ["cancelled 1", "cancel 0: 1", "kill 0"])
    play.die(0, running: 1)
    #expect(play.said() == ["release 1", "closed 1", "stopped"])
  }
}
