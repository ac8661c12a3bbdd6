import Millrace
import Testing

@Suite("Dispatcher: order and windows")
struct DispatchOrderTests {
  @Test("outcomes wait for those before them, if the job is ordered")
  func ordered() {
    let play = Play(width: 2)
    let job = play.submit(play.worker())
    play.arriveAll(job, 2)
    #expect(play.said().filter { $0.hasPrefix("run") } == ["run 0: 1 0..<1", "run 1: 2 1..<2"])
    play.finish(1, 2)
    #expect(play.said() == [])
    play.finish(0, 1)
    #expect(play.said() == ["deliver 1: 0..<1", "deliver 1: 1..<2", "complete 1", "release 1"])
  }

  @Test("outcomes come as they are made, if it is not")
  func unordered() {
    let play = Play(width: 2)
    let job = play.submit(play.worker()) { $0.ordered = false }
    play.arriveAll(job, 2)
    _ = play.said()
    play.finish(1, 2)
    #expect(play.said() == ["deliver 1: 1..<2"])
  }

  @Test("no more is read than the window holds, until the consumer takes")
  func window() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.window = .items(2)
      $0.isPulled = true
    }
    play.arrive(job, 1)
    play.arrive(job, 1)
    #expect(play.said().filter { $0.hasPrefix("read") } == ["read 1: 1", "read 1: 1"])
    play.finish(0, 1)
    #expect(!play.said().contains { $0.hasPrefix("read") })
    play.step { $0.consumed(job, count: 1, now: $1) }
    #expect(play.said() == ["read 1: 1"])
  }

  @Test("of a job whose outcomes are all kept, what is delivered makes room")
  func windowOfCollected() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) { $0.window = .items(2) }
    play.arrive(job, 1)
    play.arrive(job, 1)
    _ = play.said()
    play.finish(0, 1)
    #expect(play.said().contains("read 1: 1"))
  }

  @Test("an input in memory is read several chunks at once, and cut into them")
  func readsAtOnce() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.chunking = ChunkSizer(.size(2))
      $0.window = .items(7)
      $0.readsAtOnce = true
    }
    #expect(play.said() == ["read 1: 6"])
    play.arrive(job, 5, ended: true)
    #expect(play.said().filter { $0.hasPrefix("run") }.count == 1)
    for chunk in 1...3 { play.finish(0, chunk) }
    #expect(
      play.said().filter { $0.hasPrefix("deliver") } == ["deliver 1: 0..<2", "deliver 1: 2..<4", "deliver 1: 4..<5"])
  }

  @Test("of small chunks as many are read at once as make a thousand items, of large ones 64")
  func readsSoMany() {
    for (size, items) in [(1, 1_024), (5, 1_025), (16, 1_024), (100, 6_400)] {
      let play = Play(width: 1)
      let job = play.submit(play.worker()) {
        $0.chunking = ChunkSizer(.size(size))
        $0.window = .items(1_000_000)
        $0.total = items + 2 * size + 1
        $0.readsAtOnce = true
      }
      #expect(play.said() == ["read 1: \(items)"])
      play.arrive(job, items)
      #expect(play.said().contains("read 1: \(2 * size + 1)"))
    }
  }

  @Test("what does not come of several chunks is asked for again")
  func shortReads() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.chunking = ChunkSizer(.size(4))
      $0.window = .items(20)
      $0.total = 20
      $0.readsAtOnce = true
    }
    #expect(play.said() == ["read 1: 20"])
    play.arrive(job, 6)
    #expect(play.said().filter { $0.hasPrefix("read") } == ["read 1: 14"])
    play.arrive(job, 14)
    for chunk in 1...6 { play.finish(0, chunk) }
    #expect(
      play.said().filter { $0.hasPrefix("deliver") || $0.hasPrefix("complete") } == [
        "deliver 1: 0..<4", "deliver 1: 4..<6", "deliver 1: 6..<8", "deliver 1: 8..<12", "deliver 1: 12..<16",
        "deliver 1: 16..<20", "complete 1",
      ])
  }

  @Test("an input's error after a part of the last chunk is not lost")
  func inputErrorAfterPart() {
    let play = Play(width: 1)
    let job = play.submit(play.worker()) {
      $0.chunking = ChunkSizer(.size(4))
      $0.total = 4
    }
    #expect(play.said() == ["read 1: 4"])
    play.arrive(job, 3)
    #expect(play.said().contains("read 1: 1"))
    play.step { $0.inputFailed(job, Trouble(), now: $1) }
    play.finish(0, 1)
    #expect(play.said() == ["deliver 1: 0..<3", "failed 1: Trouble", "release 1"])
  }
}
