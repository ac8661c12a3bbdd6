import Millrace
import Testing

@Suite("Dispatcher: jobs that wait for a worker")
struct DispatchQueueTests {
  @Test("U35: what waits is what no slot has begun, beside the slots that are free")
  func waiting() {
    let play = Play(width: 2)
    let key = play.worker()
    #expect(!play.isFull(0))
    let jobs = (0..<4).map { _ in
      let job = play.submit(key)
      play.arriveAll(job, 1)
      return job
    }
    #expect(play.isFull(2) && !play.isFull(3))
    play.step { $0.cancel(jobs[3], now: $1) }
    #expect(play.isFull(1) && !play.isFull(2))
    play.finish(0, 1)
    #expect(play.isFull(0) && !play.isFull(1))
    play.finish(0, 3)
    #expect(!play.isFull(0))
  }

  @Test("U35: a job ends when it has taken as long as it may, also if it only waited")
  func overdue() {
    let play = Play(width: 1)
    let key = play.worker()
    let long = play.submit(key)
    play.arriveAll(long, 1)
    let first = play.submit(key) { $0.totalTimeout = 100 }
    play.arriveAll(first, 1)
    play.wait(50)
    let second = play.submit(key) { $0.totalTimeout = 100 }
    play.arriveAll(second, 1)
    _ = play.said()
    #expect(play.alarm == play.now + 50)
    play.wait(50)
    #expect(play.said() == ["failed 2: timedOut", "release 2"])
    play.finish(0, 1)
    #expect(play.said().last == "run 0: 3 0..<1")
    play.wait(50)
    #expect(play.said() == ["failed 3: timedOut", "cancel 0: 3"])
    play.finish(0, 3)
    #expect(play.said().last == "release 3")
  }

  @Test("U35: a standstill of the whole program does not count")
  func standstill() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) { $0.totalTimeout = 100 }
    play.arriveAll(job, 1)
    _ = play.said()
    play.now += 1_000
    play.step { $0.stoodStill(now: $1) }
    play.wait(99)
    #expect(play.said() == [])
    play.wait(1)
    #expect(play.said().first == "failed 1: timedOut")
  }
}
