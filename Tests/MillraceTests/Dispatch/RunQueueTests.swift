import Millrace
import Testing

@Suite("Dispatcher: who is next")
struct RunQueueTests {
  @Test("R7: jobs take turns")
  func turns() {
    let play = Play(width: 1)
    let key = play.worker()
    for _ in 1...3 { play.arriveAll(play.submit(key), 3) }
    // The first job had something first.
    #expect(served(by: play, 9) == [1, 1, 2, 3, 1, 2, 3, 2, 3])
  }

  @Test("R7: the most urgent job of a level is served first, those as urgent in turn")
  func urgent() {
    let play = Play(width: 1)
    let key = play.worker()
    // What the slot is at when the others come.
    play.arriveAll(play.submit(key), 1)
    for urgency in [0, 1, 0, 1] { play.arriveAll(play.submit(key) { $0.urgency = urgency }, 2) }
    #expect(served(by: play, 9) == [1, 3, 5, 3, 5, 2, 4, 2, 4])
  }

  @Test("R7: what becomes ready goes before what is less urgent and has waited longer")
  func comesLater() {
    let play = Play(width: 1)
    let key = play.worker()
    let late = play.submit(key) { $0.urgency = 1 }
    play.arriveAll(play.submit(key), 3)
    #expect(served(by: play, 1) == [2])
    play.arrive(late, 1)
    #expect(served(by: play, 3) == [2, 1, 2])
  }

  @Test("R7: each level has as many turns as it has jobs, whatever is urgent there")
  func levels() {
    let play = Play(width: 1)
    let key = play.worker()
    play.arriveAll(play.submit(key), 1)
    for (urgency, level) in [(0, 0), (1, 0), (0, 1)] {
      let job = play.submit(key) {
        $0.urgency = urgency
        $0.level = level
      }
      play.arriveAll(job, 4)
    }
    // The spare slot of the inner map runs it too: slot 0 alone is looked at.
    let found = served(by: play, 9, slot: 0)
    // Of three turns one is the inner map's, as long as it has something, and the others are the urgent job's.
    #expect(found == [1, 3, 3, 4, 3, 3, 4, 2, 4], "\(found)")
  }

  @Test("R7: a job has no more slots than it may")
  func maximum() {
    let play = Play(width: 3)
    let key = play.worker()
    let narrow = play.submit(key) { $0.maximumSlots = 2 }
    play.arriveAll(narrow, 4)
    #expect(play.said().filter { $0.hasPrefix("run") } == ["run 0: 1 0..<1", "run 1: 2 1..<2"])
    play.arriveAll(play.submit(key), 1)
    #expect(play.said().filter { $0.hasPrefix("run") } == ["run 2: 5 0..<1"])
    // Whoever leaves makes room for any other.
    play.die(0)
    #expect(play.said().filter { $0.hasPrefix("run") } == ["run 0: 1 0..<1"])
    play.finish(2, 5)
    play.finish(1, 2)
    #expect(play.said().filter { $0.hasPrefix("run") } == ["run 1: 3 2..<3"])
  }

  @Test("R7: what waits behind another job's chunk is a right to a slot, until it is taken back")
  func waitsBehind() {
    let play = Play(width: 2, prefetch: 4)
    let key = play.worker()
    // Measured as short: then chunks wait in slots.
    let measured = play.submit(key)
    play.arriveAll(measured, 2)
    play.finish(0, 1, elapsed: 30_000)
    play.finish(1, 2, elapsed: 30_000)
    let long = play.submit(key)
    play.arriveAll(long, 2)
    _ = play.said()
    let narrow = play.submit(key) { $0.maximumSlots = 1 }
    play.arriveAll(narrow, 2)
    let runs = play.said().filter { $0.hasPrefix("run") }
    #expect(Set(runs.map { $0.prefix(5) }).count == 1, "\(runs)")
    // The other slot has nothing to do: one of the chunks alone is of no use to it.
    play.finish(1, 4, elapsed: 30_000)
    #expect(!play.said().contains { $0.hasPrefix("revoke") })
    play.wait(3_000_000)
    #expect(play.said().contains { $0.hasPrefix("revoke 0") })
  }

  @Test("R7: slots take no turns at a job that only some may serve")
  func noTurns() {
    let play = Play(width: 2)
    let job = play.submit(play.worker()) {
      $0.maximumSlots = 1
      $0.roundRobin = true
    }
    play.arriveAll(job, 3)
    #expect(served(by: play, 3, slot: 0) == [1, 1, 1])
  }

  /// Finishes one chunk after the other, and says of which jobs they are.
  private func served(by play: Play, _ count: Int, slot only: Int? = nil) -> [Int] {
    var jobs: [Int] = []
    while jobs.count < count {
      let running = play.dispatcher.snapshot(now: play.now).slots
      guard let slot = running.indices.first(where: { !running[$0].work.isEmpty && (only == nil || only == $0) }) else {
        break
      }
      let work = running[slot].work[0]
      jobs.append(work.job.value)
      play.finish(slot, work.chunk)
    }
    return jobs
  }
}
