import Millrace
import MillraceTesting
import Testing

@Suite("Events: what an observer has not taken yet", .timeLimit(.minutes(1)))
struct EventBufferTests {
  private func event(_ width: Int) -> PoolEvent { PoolEvent(time: UInt64(width), event: .poolResized(width: width)) }

  /// Widths for resizes, and minus how many were missed.
  private func taken(_ buffer: EventBuffer) -> [Int] {
    buffer.take().elements.map { event in
      switch event.event {
      case .poolResized(let width): width
      case .missed(let count): -count
      default: 0
      }
    }
  }

  @Test("the oldest are dropped, and counted, where they were")
  func bound() {
    let buffer = EventBuffer(limit: 3)
    let dropped = (1...5).compactMap { buffer.accept(event($0))?.time }
    #expect(dropped == [1, 2])
    #expect(taken(buffer) == [-2, 3, 4, 5])
    #expect(taken(buffer) == [])
    _ = buffer.accept(event(6))
    #expect(taken(buffer) == [6])
  }

  @Test("who waits is woken when something is there, and at the end")
  func waiting() async {
    let buffer = EventBuffer(limit: 3)
    async let first = buffer.wait()
    _ = buffer.accept(event(1))
    buffer.flush()
    #expect(await first)
    #expect(taken(buffer) == [1])
    async let second = buffer.wait()
    buffer.end()
    #expect(await second == false)
    #expect(buffer.accept(event(2)) == nil)
    #expect(taken(buffer) == [])
  }

  @Test("who waits and is cancelled waits no longer")
  func cancelled() async {
    let buffer = EventBuffer(limit: 3)
    let task = Task { await buffer.wait() }
    task.cancel()
    #expect(await task.value == false)
  }
}
