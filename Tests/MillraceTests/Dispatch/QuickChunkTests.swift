import Millrace
import MillraceIPC
import Testing

/// Chunks of quick items: how many are ahead, and whether a consumer may rest meanwhile.
@Suite struct QuickChunkTests {
  private func submit(_ play: Play, items: Int, ahead: Int?) -> JobID {
    play.submit(play.worker()) {
      $0.chunking = ChunkSizer(.size(items))
      $0.window = .chunks(perWorker: 2)
      $0.ahead = ahead
      $0.readsAtOnce = true
    }
  }

  @Test("two chunks for each worker are read, eight where one has several items", arguments: [nil, 64], [1, 4])
  func depth(ahead: Int?, items: Int) {
    let play = Play(width: 2)
    _ = submit(play, items: items, ahead: ahead)
    let chunks = ahead != nil && items > 1 ? 16 : 4
    #expect(play.said() == ["read 1: \(chunks * items)"])
  }

  @Test("no slot wants for work while each has a chunk to go on with, in whatever slot it lies", arguments: [0, 1])
  func enough(prefetch: Int) {
    let play = Play(width: 2, prefetch: prefetch)
    let job = submit(play, items: 4, ahead: 64)
    #expect(play.hasEnough(job) == false)
    play.arrive(job, 16)
    #expect(play.hasFree == false)
    #expect(play.hasEnough(job))
    play.finish(0, 1)
    // One is at its last, the other has one behind it.
    #expect(play.hasEnough(job) == false)
    #expect(play.hasFree == false)
    for (slot, chunk) in [(0, 3), (1, 2), (1, 4)] where play.chunks[chunk] != nil { play.finish(slot, chunk) }
    #expect(play.hasFree)
    #expect(play.hasEnough(job) == false)
  }

  @Test("those who rest go on when their time has come, in their order, and all when there is reason")
  func resting() async {
    let resting = Lock(RestingConsumers())
    let sleepers = ([30, 10, 20] as [UInt64]).map { time in
      Task {
        await withUnsafeContinuation { waiter in resting.withLock { $0.add(waiter, until: time) } }
      }
    }
    while resting.withLock({ $0.count }) < 3 { await Task.yield() }
    #expect(resting.withLock { $0.first } == 10)
    let none = resting.withLock { $0.take(until: 9) }
    #expect(none.isEmpty)
    let due = resting.withLock { $0.take(until: 20) }
    #expect(due.count == 2)
    #expect(resting.withLock { $0.first } == 30)
    let rest = resting.withLock { $0.takeAll() }
    #expect(resting.withLock { $0.isEmpty })
    for waiter in due + rest { waiter.resume() }
    for sleeper in sleepers { await sleeper.value }
  }
}

extension Play {
  fileprivate func hasEnough(_ job: JobID) -> Bool { dispatcher.hasEnoughToDo(with: job) }
  fileprivate var hasFree: Bool { dispatcher.hasFreeSlot }
}
