import Millrace
import Testing

@Suite("Dispatcher: a chunk that takes long is shared")
struct DispatchShareTests {
  /// Two slots, of which one has eight items and the other nothing.
  private func uneven() -> Play {
    let play = Play(width: 2, shareTime: 100)
    let job = play.submit(play.worker()) { $0.chunking = ChunkSizer(.size(8)) }
    play.arrive(job, 8)
    play.arrive(job, 0, ended: true)
    #expect(play.said().last == "run 0: 1 0..<8")
    return play
  }

  @Test("U10: an idle slot gets a part of what is behind the item that runs, and whoever is free next the other")
  func shared() {
    let play = uneven()
    #expect(play.alarm == play.now + 100)
    play.wait(100)
    #expect(play.said() == ["share 0: 1"])
    play.shared(0, 1, .from(3))
    #expect(play.said() == ["run 1: 2 3..<6"])
    play.complete(0, 1, upTo: 3)
    play.finish(0, 1)
    #expect(play.said() == ["deliver 1: 0..<3", "run 0: 3 6..<8"])
    play.finish(1, 2)
    play.finish(0, 3)
    #expect(play.said().suffix(2) == ["complete 1", "release 1"])
  }

  @Test("U10: a slot that is at its last item is not asked again")
  func nothingToShare() {
    let play = uneven()
    play.wait(100)
    _ = play.said()
    play.shared(0, 1, .nothing)
    play.wait(1_000)
    #expect(play.said() == [])
  }

  @Test("U10: what a slot gave back while its end was on its way is not taken twice")
  func endFirst() {
    let play = uneven()
    play.wait(100)
    _ = play.said()
    // It has done three, and gives five back; its end is heard first.
    play.complete(0, 1, upTo: 3)
    play.step {
      $0.finished(slot: 0, generation: 1, chunk: 1, items: 3, elapsed: 100, now: $1)
    }
    #expect(play.said() == ["deliver 1: 0..<3", "run 0: 2 3..<8"])
    play.shared(0, 1, .from(3))
    #expect(play.said() == [])
  }

  @Test("U10: what is behind an item that failed is not the chunk to the end of which its slot has come")
  func failedFirst() {
    let play = uneven()
    play.wait(100)
    _ = play.said()
    // The slot has stopped behind the third item, which failed. That is heard first, then what it gave back, and its end at last.
    play.complete(0, 1, upTo: 2)
    play.fail(0, 1, retryable: false)
    play.shared(0, 1, .from(3))
    let runs = play.said().filter { $0.hasPrefix("run") }
    #expect(runs.count == 2 && !runs.contains { $0.contains(": 1 ") })
    play.step { $0.finished(slot: 0, generation: 1, chunk: 1, items: 3, elapsed: 100, now: $1) }
    #expect(play.said() == [])
  }

  @Test("U10: of several chunks at a slot that were begun, the last is shared, though the others were not heard of")
  func batch() {
    let play = Play(width: 2, prefetch: 8, shareTime: 100)
    let job = play.submit(play.worker()) {
      $0.chunking = ChunkSizer(.size(4))
      $0.readsAtOnce = true
    }
    play.arrive(job, 20, ended: true)
    play.finish(0, 1, elapsed: 10)
    #expect(play.said().last == "run 0: 4 12..<20")
    play.finish(0, 3, elapsed: 10)
    play.finish(1, 2, elapsed: 10)
    play.wait(2_000_000)
    #expect(play.said().last == "revoke 0: 4 from 16")
    play.revoked(0, 4, from: nil)
    #expect(play.said() == ["share 0: 4"])
    play.shared(0, 4, .from(18))
    // Their numbers are not those of chunks that others have had.
    #expect(play.said() == ["run 1: 6 18..<19", "run 1: 7 19..<20"])
  }

  @Test("U10: what a slot is at when its job is raised, and loses its turns, is shared")
  func raised() {
    let play = Play(width: 2, shareTime: 100)
    let key = play.worker()
    let job = play.submit(key) {
      $0.chunking = ChunkSizer(.size(8))
      $0.roundRobin = true
    }
    play.arrive(job, 8)
    play.arrive(job, 0, ended: true)
    play.step { _ = $0.waits(nil, level: 0, for: job, now: $1) }
    play.wait(100)
    #expect(play.said().contains("share 0: 1"))
  }
}
