#if Cluster
import Millrace
import Testing

@testable import MillraceCluster

/// Short chunks go together, and agents have some in hand.
extension Checked {
  @Suite struct ParcelTests {
    // MARK: What an agent has in hand

    private static let millisecond: UInt64 = 1_000_000

    /// An agent of so many slots after chunks that took so long each.
    private func pace(slots: Int, after time: UInt64) -> AgentPace {
      var pace = AgentPace(slots: slots)
      for _ in 0..<40 {
        _ = pace.enter(at: 0)
        pace.leave(at: 0, took: time)
      }
      return pace
    }

    @Test("nothing is had ahead before it is known how long chunks take") func unknown() {
      let pace = AgentPace(slots: 4)
      #expect(pace.ahead == 0 && pace.together == 4)
    }

    @Test(
      "ten milliseconds of work are had ahead, sixteen chunks a slot at most, and nothing of what takes long",
      arguments: [(1_000, 16), (1_000_000, 10), (5_000_000, 2), (10_000_000, 1), (49_000_000, 1), (51_000_000, 0)])
    func ahead(_ time: UInt64, _ expected: Int) {
      #expect(pace(slots: 1, after: time).ahead == expected)
      #expect(pace(slots: 3, after: time).ahead == 3 * expected)
    }

    @Test("a slot has several of short chunks at once") func atOnce() {
      #expect(pace(slots: 2, after: Self.millisecond / 2).together == 8)
      #expect(pace(slots: 2, after: Self.millisecond * 2).together == 2)
    }

    @Test("what has waited for a slot has not been run meanwhile") func beginning() {
      var pace = AgentPace(slots: 2)
      let numbers = (0..<4).map { _ in pace.enter(at: 0) }
      #expect(numbers.map { pace.beginning(of: $0, entered: 5) } == [5, 5, 5, 5])
      pace.leave(at: 10, took: 5)
      pace.leave(at: 20, took: 15)
      #expect(numbers.map { pace.beginning(of: $0, entered: 5) } == [5, 5, 10, 20])
      #expect(pace.beginning(of: numbers[2], entered: 15) == 15)
    }

    @Test("what waits behind a chunk that takes long is stuck") func stuck() {
      var pace = AgentPace(slots: 1)
      pace.leave(at: Self.millisecond, took: Self.millisecond)
      #expect(!pace.isStuck(at: 51 * Self.millisecond))
      #expect(pace.isStuck(at: 52 * Self.millisecond))
      // One that begins after a rest has not taken long.
      _ = pace.enter(at: 90 * Self.millisecond)
      #expect(!pace.isStuck(at: 140 * Self.millisecond))
      #expect(pace.isStuck(at: 141 * Self.millisecond))
    }

    // MARK: What goes together

    @Test("two parcels are left for each slot, and none takes longer than two milliseconds") func together() {
      #expect(ClusterTicket.together(of: 64, for: 2, each: nil) == 1)
      #expect(ClusterTicket.together(of: 64, for: 2, each: 1_000) == 16)
      #expect(ClusterTicket.together(of: 64, for: 2, each: 400_000) == 5)
      #expect(ClusterTicket.together(of: 64, for: 2, each: 3_000_000) == 1)
      #expect(ClusterTicket.together(of: 4, for: 2, each: 1_000) == 1)
      #expect(ClusterTicket.together(of: 64, for: 0, each: 0) == 32)
    }

    @Test("each chunk gets the part of the answer that is about it") func parts() throws {
      let frames = [
        RemoteFrame(.outputs(2, of: 1), [1]), RemoteFrame(.chunkDone(1, items: 2, nanoseconds: 5)),
        RemoteFrame(.chunkDone(2, items: 1, nanoseconds: 6)), RemoteFrame(.itemFailed(0, of: 7, .relayed), [3]),
        RemoteFrame(.chunkDone(7, items: 1, nanoseconds: 7)),
      ]
      let parts = try ClusterTicket.parts(of: .frames(frames), frames: [2, 1])
      #expect(parts.map(\.time) == [6, 7])
      let counts = parts.map { part in if case .frames(let frames) = part { frames.count } else { 0 } }
      #expect(counts == [3, 2])
      #expect(throws: EngineError.self) { try ClusterTicket.parts(of: .frames(frames), frames: [2, 2]) }
      #expect(throws: EngineError.self) { try ClusterTicket.parts(of: .frames(frames), frames: [2]) }
      #expect(try ClusterTicket.parts(of: .noWorker(EngineError.lost), frames: [1, 1]).count == 2)
    }

    @Test("orders on the same conditions are one, frames behind frames") func orders() throws {
      func order(_ worker: Int, _ chunk: UInt64, _ timeout: Duration? = nil) -> [UInt8] {
        let frame = RemoteFrame(.chunk(chunk, of: 1, items: 1, []), [UInt8(chunk)])
        return ChunkOrder(worker: worker, itemTimeout: timeout, maximumLosses: 3, frames: [frame]).bytes
      }
      let head = ChunkOrder.headSize
      #expect(order(1, 4).prefix(head) == order(1, 5).prefix(head))
      #expect(order(1, 4).prefix(head) != order(2, 5).prefix(head))
      #expect(order(1, 4).prefix(head) != order(1, 5, .seconds(1)).prefix(head))
      let both = try ChunkOrder(bytes: order(1, 4) + order(1, 5).dropFirst(head))
      #expect(both.frames.map(\.header.chunk) == [4, 5] && both.frames.map(\.payload) == [[4], [5]])
    }
  }
}
#endif
