import Millrace
import Testing

/// What comes of an input at its full speed is gathered, for a moment.
@Suite struct GatherTests {
  /// A job of large chunks whose items come in parts: each is taken when the slot has done the one before.
  private final class Stream {
    let play = Play(width: 1, gatherTime: 100)
    let job: JobID
    private var chunk = 0

    init() {
      job = play.submit(play.worker()) {
        $0.chunking = ChunkSizer(.size(1_000_000))
        $0.window = .items(1_000_000)
      }
    }

    /// So many items come and are done; whether the next ones are asked for at once.
    func part(_ count: Int) -> Bool {
      play.come(job, count)
      let before = play.collected.count
      chunk += 1
      play.finish(0, chunk)
      return play.collected.count > before
    }

    /// As many parts as it takes until the next is gathered; at most so many.
    func parts(_ count: Int, each items: Int = 1, every time: UInt64 = 10) -> Int? {
      (1...count).first { _ in
        play.now += time
        return !part(items)
      }
    }
  }

  @Test("U10: parts that do not follow each other closely go on at once, however many")
  func slow() {
    #expect(Stream().parts(5_000, every: 101) == nil)
  }

  @Test("U10: a few that come at once go on at once, and again after a pause")
  func bursts() {
    let stream = Stream()
    for _ in 0..<100 {
      #expect(stream.parts(8) == nil)
      stream.play.now += 1_000
    }
  }

  @Test("U10: at full speed what comes is gathered, and taken when the time is over, without more coming")
  func gathered() {
    let stream = Stream()
    #expect(stream.parts(20) == 9)
    let asked = stream.play.collected.count
    #expect(stream.play.alarm == stream.play.now + 100)
    stream.play.wait(99)
    #expect(stream.play.collected.count == asked)
    stream.play.wait(1)
    #expect(stream.play.collected.count == asked + 1)
    // It was worth the time, and goes on.
    #expect(!stream.part(50))
    stream.play.wait(100)
    #expect(stream.play.collected.count == asked + 2)
  }

  @Test("U10: where little comes of it, parts go on at once again, and for twice as long")
  func conversation() {
    let stream = Stream()
    #expect(stream.parts(20) == 9)
    stream.play.wait(100)
    // One item, which may have waited for its answer.
    #expect(stream.part(1))
    #expect(stream.parts(40) == 16)
    stream.play.wait(100)
    #expect(stream.part(1))
    #expect(stream.parts(40) == 32)
  }

  @Test("what comes is not taken for a spare slot, which does not run the job")
  func spare() {
    let stream = Stream()
    #expect(stream.parts(20) == 9)
    let (play, key, asked) = (stream.play, stream.play.worker(), stream.play.collected.count)
    _ = play.said()
    // The only slot is at an item of another job, which has a map in it.
    play.arriveAll(play.submit(key), 1)
    play.arriveAll(play.submit(key) { $0.level = 1 }, 1)
    let runs = play.said().filter { $0.hasPrefix("run") }
    #expect(runs.map { $0.prefix(5) } == ["run 0", "run 1"])
    play.finish(1, play.chunks.keys.max()!)
    play.wait(100)
    #expect(play.collected.count { $0 == stream.job } == asked)
  }

  @Test("U263: what has come has its turn where another job always has work for the slot, which is never free")
  func others() {
    let stream = Stream()
    let play = stream.play
    _ = stream.part(1)
    _ = play.said()
    play.arriveAll(play.submit(play.worker()), 12)
    var (answered, others, asked) = (0, 0, play.collected.count)
    // Who is answered sends the next.
    play.come(stream.job, 1)
    var running: Int?
    while others < 12 {
      running = play.said().last { $0.hasPrefix("run 0: ") }.flatMap { Int($0.split(separator: " ")[2]) }
      guard let running, let chunk = play.chunks[running] else { return #expect(running != nil) }
      if chunk.job == stream.job { answered += 1 } else { others += 1 }
      play.finish(0, running)
      guard play.collected.count > asked else { continue }
      asked = play.collected.count
      play.come(stream.job, 1)
    }
    #expect(answered >= 4)
  }
}
