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

  @Test("U10: nor on a pool where what another job does is known to be short, while one slot is ready before the other")
  func unknownOnWarmPool() {
    let play = Play(width: 2, prefetch: 8)
    let known = play.worker()
    let short = play.submit(known)
    play.arriveAll(short, 2)
    play.finish(0, 1, elapsed: 10)
    play.finish(1, 2, elapsed: 10)
    play.isSmooth = false
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 3)
    _ = play.said()
    play.prepared(0, key)
    play.step { $0.tick(now: $1) }
    #expect(play.said().filter { $0.hasPrefix("run") } == ["run 0: 3 0..<1"])
    play.prepared(1, key)
    #expect(play.said().filter { $0.hasPrefix("run") } == ["run 1: 4 1..<2"])
    // Nor does anything of which much is known.
    let other = play.submit(known)
    play.arriveAll(other, 1)
    #expect(!play.said().contains { $0.hasPrefix("run") })
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
    #expect(play.said().filter { $0.hasPrefix("run") }.first == "run 1: 4 3..<4")
  }

  @Test(
    "U10: what is recalled is given out in the order of the items, in whatever order it comes back",
    arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
  func inOrder(order: [Int]) {
    let play = Play(width: 2, prefetch: 8)
    let key = play.worker()
    let first = play.submit(key)
    play.arriveAll(first, 2)
    for slot in 0..<2 { play.finish(slot, slot + 1, elapsed: 10) }
    let job = play.submit(key)
    _ = play.said()
    for _ in 0..<8 { play.arrive(job, 1) }
    // Slot 0 is at item 0, and slot 1 at item 1. The others wait, and may take long.
    play.wait(2_000_000)
    let said = play.said()
    let asked = (0..<2).map { slot in
      said.compactMap { $0.hasPrefix("revoke \(slot): ") ? Int($0.dropFirst(10)) : nil }
    }
    #expect(asked[0].count >= 3)
    for chunk in asked[1] { play.revoked(1, chunk) }
    for place in order + Array(3..<asked[0].count) { play.revoked(0, asked[0][place]) }
    #expect(play.said() == [])
    play.finish(1, 4, elapsed: 10)
    let runs = play.said().filter { $0.hasPrefix("run 1") }.map { $0.split(separator: " ").last! }
    #expect(!runs.isEmpty && runs.map(String.init) == (2..<2 + runs.count).map { "\($0)..<\($0 + 1)" })
  }

  @Test("U10: what waits in the one slot of a pool is there for those that the pool is given later")
  func widened() {
    let play = Play(width: 1, prefetch: 8)
    let job = play.submit(play.worker())
    play.arriveAll(job, 2)
    play.wait(2_000_000)
    #expect(!play.said().contains { $0.hasPrefix("revoke") })
    play.step { $0.resize(to: 2, now: $1) }
    play.wait(0)
    #expect(play.said().contains("revoke 0: 2"))
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

  @Test("U10: a chunk that its slot does not begin stays, where nobody is free for it any more")
  func nobodyFree() {
    let play = Play(width: 2, shareTime: 100)
    let key = play.worker()
    let job = play.submit(key) { $0.chunking = ChunkSizer(.size(8)) }
    play.arrive(job, 8)
    play.arrive(job, 0, ended: true)
    let other = play.submit(key)
    _ = play.said()
    for _ in 0..<20 {
      play.wait(100)
      #expect(play.said() == ["share 0: 1"])
      // Before it answers the other slot has something to do.
      play.arrive(other, 1)
      let chunk = play.chunks.keys.max()!
      play.shared(0, 1, .notYet)
      #expect(!play.said().contains { $0.hasPrefix("revoke") })
      play.finish(1, chunk)
      _ = play.said()
    }
  }

  @Test("U10: a chunk that several slots do not begin comes to each once, and stays with the last")
  func passedOn() {
    let play = Play(width: 3, shareTime: 100)
    let job = play.submit(play.worker()) { $0.chunking = ChunkSizer(.size(8)) }
    play.arrive(job, 8)
    play.arrive(job, 0, ended: true)
    for slot in 0..<3 {
      #expect(play.said().contains("run \(slot): 1 0..<8"))
      for _ in 0..<20 {
        play.wait(100)
        if play.said() == ["share \(slot): 1"] { play.shared(slot, 1, .notYet) }
      }
      if slot < 2 { play.revoked(slot, 1) }
    }
    #expect(play.said() == [])
    play.step { $0.completed(slot: 2, generation: 1, chunk: 1, upTo: 8, outputs: Play.Cell(), now: $1) }
    #expect(play.said().contains("deliver 1: 0..<8"))
  }

  @Test("U10: nothing waits behind a chunk that its slot does not begin, however often that was asked")
  func behindTheUnbegun() {
    let play = Play(width: 2, prefetch: 8, shareTime: 100)
    let job = play.submit(play.worker()) { $0.chunking = ChunkSizer(.size(2)) }
    for _ in 0..<2 { play.arrive(job, 2) }
    play.finish(0, 1, elapsed: 10)
    play.finish(1, 2, elapsed: 10)
    _ = play.said()
    play.arrive(job, 2)
    #expect(play.said().contains("run 0: 3 4..<6"))
    // Slot 0 has said so just now, but has been at it for as long as nothing short takes.
    play.wait(10_000_000)
    play.shared(0, 3, .notYet)
    for _ in 0..<3 { play.arrive(job, 2) }
    let runs = play.said().filter { $0.hasPrefix("run") }
    #expect(runs.first == "run 1: 4 6..<8")
    #expect(!runs.contains { $0.hasPrefix("run 0") })
  }

  @Test(
    """
    what waits behind an item that takes long is there for an idle slot, and soon for a busy one, once another has left its job, which
    only so many may serve
    """, arguments: [true, false])
  func rightGetsFree(isIdle: Bool) {
    let play = Play(width: 3, prefetch: 8)
    let key = play.worker()
    let job = play.submit(key) { $0.maximumSlots = 2 }
    for _ in 0..<2 { play.arrive(job, 1) }
    play.finish(0, 1, elapsed: 10)
    play.finish(1, 2, elapsed: 10)
    play.arrive(job, 1)
    let other = play.submit(key)
    play.arrive(other, 1)
    for _ in 0..<2 { play.arrive(job, 1) }
    let runs = play.said().filter { $0.hasPrefix("run") }.suffix(4).map { $0.prefix(8) }
    #expect(runs == ["run 0: 3", "run 1: 4", "run 2: 5", "run 0: 6"])
    if isIdle { play.finish(1, 4, elapsed: 10) }
    // Slot 2 goes when it is done, and takes nothing more.
    play.step { $0.resize(to: 2, now: $1) }
    play.wait(2_000_000)
    #expect(!play.said().contains { $0.hasPrefix("revoke") })
    play.finish(2, 5, elapsed: 2_000_000)
    if !isIdle { play.wait(2_000_000) }
    #expect(play.said().contains("revoke 0: 6"))
  }

  @Test("U10: whoever has been at something the longest is looked at first, whoever was handed something ahead before")
  func theLongestFirst() {
    let play = Play(width: 2, prefetch: 8)
    let job = play.submit(play.worker()) { $0.chunking = ChunkSizer(.size(1)) }
    for _ in 0..<2 { play.arrive(job, 1) }
    play.finish(0, 1, elapsed: 10)
    play.finish(1, 2, elapsed: 10)
    for _ in 0..<2 { play.arrive(job, 1) }
    _ = play.said()
    play.wait(1_500_000)
    play.finish(0, 3, elapsed: 10)
    for _ in 0..<12 { play.arrive(job, 1) }
    let ahead = play.said().filter { $0.hasPrefix("run 1: ") }
    #expect(!ahead.isEmpty)
    #expect(play.said().isEmpty)
    play.wait(600_000)
    let asked = play.said().filter { $0.hasPrefix("revoke 1: ") }
    #expect(asked.count == ahead.count)
  }

  /// Three slots, each of which has done something short.
  private func warm(elapsed: UInt64 = 20_000) -> (Play, WorkerKey) {
    let play = Play(width: 3, prefetch: 8)
    let key = play.worker()
    let job = play.submit(key)
    play.arriveAll(job, 3)
    for slot in 0..<3 { play.finish(slot, slot + 1, elapsed: elapsed) }
    _ = play.said()
    return (play, key)
  }

  /// The chunks that were given to each slot.
  private func given(_ said: [String]) -> [[Int]] {
    (0..<3).map { slot in
      said.compactMap { $0.hasPrefix("run \(slot): ") ? Int($0.split(separator: " ")[2]) : nil }
    }
  }

  @Test("what waits where nobody else may serve its job stays, and others are asked for less than what waits there")
  func othersThanTheLongest() {
    let (play, key) = warm()
    let narrow = play.submit(key) { $0.maximumSlots = 1 }
    for _ in 0..<6 { play.arrive(narrow, 1) }
    let first = play.said()
    #expect(given(first).map(\.count) == [6, 0, 0] && !first.contains { $0.hasPrefix("revoke") })
    let job = play.submit(key)
    for _ in 0..<6 { play.arrive(job, 1) }
    let second = given(play.said())
    #expect(second.map(\.count) == [0, 5, 1])
    play.finish(2, second[2][0], elapsed: 20_000)
    #expect(play.said().filter { $0.hasPrefix("revoke") } == ["revoke 1: \(second[1].last!)"])
  }

  @Test("one of several that wait for the right to their job is not taken for a slot that would get none")
  func severalBehind() {
    let (play, key) = warm()
    let job = play.submit(key)
    for _ in 0..<3 { play.arrive(job, 1) }
    let narrow = play.submit(key) { $0.maximumSlots = 1 }
    for _ in 0..<4 { play.arrive(narrow, 1) }
    let runs = given(play.said())
    #expect(runs.map(\.count) == [5, 1, 1])
    // What waits there would be worth it, but the rest would keep the right.
    play.finish(1, runs[1][0], elapsed: 60_000)
    #expect(!play.said().contains { $0.hasPrefix("revoke") })
  }

  @Test("what waits behind the chunk of another worker's job is asked back, as its slot leaves the right to it")
  func behindAnother() throws {
    let (play, key) = warm(elapsed: 60_000)
    let other = play.worker()
    play.arriveAll(play.submit(other), 3)
    for slot in 0..<3 { play.finish(slot, slot + 4, elapsed: 60_000) }
    _ = play.said()
    let job = play.submit(key)
    for _ in 0..<3 { play.arrive(job, 1) }
    let narrow = play.submit(other) { $0.maximumSlots = 1 }
    play.arrive(narrow, 1)
    let runs = given(play.said())
    try #require(runs.map(\.count) == [2, 1, 1])
    play.finish(1, runs[1][0], elapsed: 60_000)
    #expect(play.said().filter { $0.hasPrefix("revoke") } == ["revoke 0: \(runs[0][1])"])
  }

  @Test("who has no worker gets one for what was handed ahead to another")
  func startsForOthers() {
    let play = Play(width: 2, prefetch: 8)
    let key = play.worker()
    let job = play.submit(key) { $0.eagerSetUp = false }
    for _ in 0..<2 { play.arrive(job, 1) }
    for slot in 0..<2 { play.finish(slot, slot + 1, elapsed: 20_000) }
    for _ in 0..<4 { play.arrive(job, 1) }
    let runs = play.said().filter { $0.hasPrefix("run") }.suffix(4).map { $0.prefix(8) }
    #expect(runs == ["run 0: 3", "run 1: 4", "run 0: 5", "run 0: 6"])
    // Nothing waits but behind what slot 0 is at.
    play.finish(1, 4, elapsed: 20_000)
    play.die(1)
    #expect(play.generations[1] == 2)
  }
}
