import Millrace
import Testing

@Suite("Dispatcher: what is handed ahead")
struct DispatchHandedAheadTests {
  @Test("U10: nothing waits behind an item of which nobody knows how long it takes")
  func unknown() {
    let play = Play(width: 2, prefetch: 8, isSmooth: false)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 3)
    for slot in 0..<2 { play.step { $0.started(slot: slot, generation: 1, now: $1) } }
    play.prepared(0, key)
    // The other slot is not ready yet.
    #expect(play.said().last == "run 0: 1 0..<1")
    play.prepared(1, key)
    #expect(play.said().last == "run 1: 2 1..<2")
    play.finish(1, 2, elapsed: 10)
    #expect(play.said().contains("run 1: 3 2..<3"))
  }

  @Test("U10: nothing waits behind items that are known to take long")
  func long() {
    let play = Play(width: 2, prefetch: 8)
    let job = play.submit(play.worker())
    play.arriveAll(job, 6)
    _ = play.said()
    play.finish(0, 1, elapsed: 10_000_000)
    #expect(play.said().filter { $0.hasPrefix("run") } == ["run 0: 3 2..<3"])
  }

  @Test("U10: what waits behind an item that takes long is there for all, though no slot is idle")
  func recalled() {
    let play = Play(width: 2, prefetch: 8)
    let job = play.submit(play.worker())
    play.arriveAll(job, 6)
    play.finish(0, 1, elapsed: 1_000_000)
    play.finish(1, 2, elapsed: 1_000_000)
    // Slots 0 and 1 have two each: 3 and 4, 5 and 6.
    #expect(
      play.said().filter { $0.hasPrefix("run") }.suffix(4).map { $0.prefix(8) } == [
        "run 0: 3", "run 0: 4", "run 1: 5", "run 1: 6",
      ])
    play.wait(2_000_000)
    #expect(play.said() == ["revoke 0: 4", "revoke 1: 6"])
    play.revoked(0, 4)
    play.revoked(1, 6)
    #expect(play.said() == [])
    play.finish(1, 5, elapsed: 2_000_000)
    #expect(play.said().filter { $0.hasPrefix("run") }.first == "run 1: 6 5..<6")
  }

  @Test("U10: a chunk that its slot does not begin goes to another")
  func neverBegun() {
    let play = Play(width: 2, shareTime: 100)
    let job = play.submit(play.worker()) { $0.chunking = ChunkSizer(.size(8)) }
    play.arrive(job, 8)
    play.arrive(job, 0, ended: true)
    _ = play.said()
    var asked = 0
    while asked < 100 {
      play.wait(100)
      let said = play.said()
      if said == ["revoke 0: 1"] { break }
      #expect(said == ["share 0: 1"])
      asked += 1
      play.shared(0, 1, .notYet)
      if play.said() == ["revoke 0: 1"] { break }
    }
    #expect(asked < 20)
    play.revoked(0, 1)
    #expect(play.said().last == "run 1: 1 0..<8")
  }
}
