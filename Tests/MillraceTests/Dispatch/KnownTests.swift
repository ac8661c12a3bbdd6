import Millrace
import Testing

@Suite("Dispatcher: items that have their outcomes when they come")
struct KnownTests {
  @Test("they are delivered in their place, and what is between them is run")
  func inPlace() {
    let play = Play(width: 2)
    let job = play.submit(play.worker()) { $0.chunking = ChunkSizer(.size(6)) }
    play.arrive(job, 6, ended: true, known: [play.output(1), play.failure(3), play.output(4)])
    #expect(play.said().suffix(2) == ["run 0: 2 0..<1", "run 1: 3 2..<3"])
    play.finish(1, 3)
    #expect(play.said() == ["run 1: 4 5..<6"])
    play.finish(0, 2)
    #expect(
      play.said() == [
        "deliver 1: 0..<1", "deliver 1: 1..<2", "deliver 1: 2..<3", "failure 1: 3 attempt 0 threw", "deliver 1: 4..<5",
      ])
    play.finish(1, 4)
    #expect(play.said() == ["deliver 1: 5..<6", "complete 1", "release 1"])
  }

  @Test("where all are known, no worker is started, and the input is read to its end")
  func all() {
    let play = Play(width: 2, isSmooth: false)
    let job = play.submit(play.worker())
    play.arrive(job, 1, known: [play.output(0)])
    play.arrive(job, 1, known: [play.output(1)])
    play.arrive(job, 0, ended: true)
    #expect(
      play.said().filter { $0 != "collect 1" } == [
        "read 1: 1", "deliver 1: 0..<1", "read 1: 1", "deliver 1: 1..<2", "read 1: 1", "complete 1", "release 1",
      ])
  }

  @Test("a known failure is a failure as any other")
  func failures() {
    let play = Play(width: 1)
    let key = play.worker()
    let strict = play.submit(key) { $0.failFast = true }
    play.arrive(strict, 1, known: [play.failure(0)])
    #expect(play.said().suffix(2) == ["failed 1: ItemFailure", "release 1"])
    let patient = play.submit(key) { $0.maximumFailures = 0 }
    play.arrive(patient, 1, known: [play.failure(0)])
    #expect(play.said().suffix(3) == ["failure 2: 0 attempt 0 threw", "failed 2: tooManyFailures", "release 2"])
  }

  @Test("each chunk of a batch that is cut has a number of its own")
  func numbers() {
    let play = Play(width: 1, prefetch: 8)
    let job = play.submit(play.worker()) {
      $0.readsAtOnce = true
      $0.chunking = ChunkSizer(.size(2))
      $0.window = .items(8)
    }
    play.arrive(job, 8, ended: true, known: [play.output(3)])
    #expect(play.said().last == "run 0: 5 0..<3")
    play.finish(0, 5)
    #expect(play.said().last == "run 0: 7 4..<8")
  }
}

extension Play {
  fileprivate func output(_ index: Int) -> Segment { known(index, .outputs(Cell())) }

  fileprivate func failure(_ index: Int) -> Segment {
    known(index, .failure(ItemFailure(index: index, slot: 0, attempt: 0, cause: .threw(Trouble()))))
  }

  private func known(_ index: Int, _ content: Segment.Content) -> Segment {
    Segment(range: index..<index + 1, slot: 0, attempt: 0, content: content, cell: Cell())
  }
}
