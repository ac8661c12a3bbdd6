import Millrace
import Testing

@Suite("Dispatcher: workers that stay for the next job")
struct DispatchKeptWorkerTests {
  private let limit = DispatchLimits().keptWorkers

  /// A job of one item.
  private func run(_ play: Play, _ key: WorkerKey) {
    let job = play.submit(key)
    play.arriveAll(job, 1)
    play.finish(0, play.chunks.keys.max()!)
  }

  @Test("U18: beyond a bound, the worker that was not used for longest is torn down")
  func leastRecentlyUsed() {
    let play = Play(width: 1)
    let keys = (0...limit).map { _ in play.worker() }
    for key in keys.dropLast() { run(play, key) }
    run(play, keys[0])
    #expect(!play.said().contains { $0.hasPrefix("tearDown") })
    run(play, keys[limit])
    #expect(play.said().last == "tearDown 0: 2")
    play.step { $0.tornDown(slot: 0, generation: 1, keys[1], now: $1) }
    #expect(play.said() == ["closed 2"])
  }

  @Test("U18: one that is used is not torn down, and one that is used again while it makes room stays")
  func usedAgain() {
    let play = Play(width: 1)
    let first = play.worker()
    let job = play.submit(first)
    play.arrive(job, 1)
    for _ in 0..<limit + 1 {
      let next = play.submit(play.worker())
      play.arriveAll(next, 1)
    }
    play.finish(0, 1)
    for _ in 0...limit { play.finish(0, play.chunks.keys.max()!) }
    let torn = play.said().filter { $0.hasPrefix("tearDown") }
    #expect(torn == ["tearDown 0: 2"])
    run(play, WorkerKey(2))
    play.step { $0.tornDown(slot: 0, generation: 1, WorkerKey(2), now: $1) }
    #expect(!play.said().contains("closed 2"))
  }
}
