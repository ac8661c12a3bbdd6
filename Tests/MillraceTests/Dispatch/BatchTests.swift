import Millrace
import Testing

/// Small chunks that are given to a slot several at a time.
@Suite("Dispatcher: batches")
struct DispatchBatchTests {
  /// A slot that is known to be quick, and `count` items in chunks of two that were read at once.
  private func play(_ count: Int, width: Int = 1, lifespan: Int? = nil) -> (Play, JobID) {
    let play = Play(width: width, prefetch: 6)
    let key = play.worker()
    let first = play.submit(key) { $0.total = width }
    play.arriveAll(first, width)
    for slot in 0..<width { play.finish(slot, slot + 1, elapsed: 1) }
    let job = play.submit(key) {
      $0.chunking = ChunkSizer(.size(2))
      $0.readsAtOnce = true
      $0.lifespan.items = lifespan
    }
    _ = play.said()
    play.arrive(job, count, ended: true)
    return (play, job)
  }

  private func runs(_ play: Play) -> [String] { play.said().filter { $0.hasPrefix("run") || $0.hasPrefix("revoke") } }

  @Test("what a slot takes at once is a batch, and more comes when half of it is done")
  func whole() {
    let (play, _) = play(20)
    #expect(runs(play) == ["run 0: 2 0..<16"])
    play.complete(0, 2, upTo: 6)
    #expect(runs(play) == [])
    play.complete(0, 2, upTo: 8)
    #expect(runs(play) == ["run 0: 10 16..<20"])
  }

  @Test("the last chunk of a batch may be smaller; each of its chunks has a number")
  func odd() {
    let (play, _) = play(7)
    #expect(runs(play) == ["run 0: 2 0..<6", "run 0: 5 6..<7"])
  }

  @Test("slots that have nothing to do share what there is")
  func shares() {
    let (play, _) = play(12, width: 2)
    #expect(runs(play) == ["run 0: 3 0..<6", "run 1: 6 6..<12"])
  }

  @Test("what waits at a busy slot goes to an idle one, though that is at the batch, as far as it was not begun")
  func halves() {
    let (play, _) = play(16, width: 2)
    #expect(runs(play) == ["run 0: 3 0..<8", "run 1: 7 8..<16"])
    play.finish(1, 7, elapsed: 1_000_000)
    // Short chunks were the rule at slot 0; that this one is not, only time shows.
    #expect(runs(play) == [])
    play.wait(play.alarm! - play.now)
    #expect(runs(play) == ["revoke 0: 3 from 2"])
    play.revoked(0, 3, from: 6)
    #expect(runs(play) == ["run 1: 6 6..<8"])
    // What is left of the batch ends where the rest was cut off.
    play.complete(0, 3, upTo: 6)
    play.finish(0, 3, elapsed: 1_000_000)
    play.finish(1, 6, elapsed: 1_000_000)
    #expect(play.said().contains("complete 2"))
  }

  @Test("what is left of a batch whose worker has died is given out anew, and only the item that ran is to blame")
  func death() {
    let (play, job) = play(8)
    #expect(runs(play) == ["run 0: 2 0..<8"])
    play.complete(0, 2, upTo: 5)
    play.die(0, running: 2)
    let said = play.said()
    #expect(said.contains("failure \(job.value): 5 attempt 1 crashed"))
    #expect(said.filter { $0.hasPrefix("run") } == ["run 0: 2 6..<8"])
  }

  @Test("what was begun behind lost outcomes is cut off as its worker dies, and is to blame the next time")
  func begunBehindLost() {
    let (play, job) = play(8)
    #expect(runs(play) == ["run 0: 2 0..<8"])
    play.step { [generation = play.generations[0]!] dispatcher, now in
      dispatcher.batch {
        $0.revoked(slot: 0, generation: generation, chunk: 2, from: 4, now: now)
        $0.died(slot: 0, generation: generation, Death(running: nil, cause: .crashed(.trap, signal: 4)), now: now)
      }
    }
    let said = play.said()
    #expect(said.filter { $0.hasPrefix("run") } == ["run 0: 2 0..<4"])
    #expect(!said.contains { $0.hasPrefix("failure") })
    play.finish(0, 2, elapsed: 1)
    #expect(runs(play) == ["run 0: 4 4..<8"])
    play.die(0, running: 4)
    #expect(play.said().filter { $0.hasPrefix("failure") } == ["failure \(job.value): 4 attempt 1 crashed"])
  }

  @Test("a worker whose life may be over after each chunk gets one at a time")
  func lifespan() {
    let (play, _) = play(8, lifespan: 100)
    #expect(runs(play) == ["run 0: 2 0..<2", "run 0: 3 2..<4", "run 0: 4 4..<6", "run 0: 5 6..<8"])
  }
}
