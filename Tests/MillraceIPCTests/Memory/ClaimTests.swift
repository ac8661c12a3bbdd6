import MillraceIPC
import Testing

@Suite struct ClaimTests {
  @Test func revokedRequestsAreSkipped() throws {
    let lane = try Lane(ringCapacity: 4096)
    var parent = ParentEnd(lane)
    var worker = WorkerEnd(lane, bell: .futex)
    let positions = try (0..<4).map { try parent.requests.send(FrameHeader(kind: 1, b: UInt64($0)))! }
    #expect(try parent.requests.revoke(at: positions[0]))
    #expect(try parent.requests.revoke(at: positions[2]))
    #expect(try parent.requests.revoke(at: positions[2]) == false)
    #expect(try worker.requests.nextClaimed()?.header.b == 1)
    #expect(try parent.requests.revoke(at: positions[1]) == false)  // claimed
    #expect(try worker.requests.nextClaimed()?.header.b == 3)
    #expect(try worker.requests.nextClaimed() == nil)
    for position in positions { #expect(try parent.requests.revoke(at: position) == false) }  // all consumed
  }

  /// The worker claims from the front while the parent revokes from the back: each frame has exactly one winner.
  @Test(.timeLimit(.minutes(1))) func everyFrameHasOneWinner() throws {
    let batches = 2_000
    let batch = 64
    let lane = try Lane(ringCapacity: 4096)
    let claimed = Lock([Bool](repeating: false, count: batches * batch))
    let thread = TestThread {
      var worker = WorkerEnd(lane, bell: .futex, spin: 0)
      do {
        while try worker.requests.waitForData() == .ready {
          while let frame = try worker.requests.nextClaimed() {
            let index = Int(frame.header.b)
            let twice = claimed.withLock { all in
              defer { all[index] = true }
              return all[index]
            }
            if twice { Issue.record("frame \(index) was claimed twice") }
          }
          _ = try worker.responses.send(FrameHeader(kind: 1))
        }
      } catch {
        Issue.record(error)
      }
    }
    var parent = ParentEnd(lane)
    var revoked = [Bool](repeating: false, count: batches * batch)
    for round in 0..<batches {
      var positions: [UInt64] = []
      for offset in 0..<batch {
        let header = FrameHeader(kind: 1, b: UInt64(round * batch + offset))
        while true {
          if let position = try parent.requests.send(header) {
            positions.append(position)
            break
          }
          #expect(try parent.requests.waitForSpace(0, until: soon()) == .ready)
        }
      }
      for offset in (0..<batch).reversed() {
        revoked[round * batch + offset] = try parent.requests.revoke(at: positions[offset])
      }
      while try parent.responses.next() != nil {}
    }
    // All that was not revoked is worked on before the lane is seen to be closed.
    lane.close()
    thread.join()
    let winners = claimed.withLock { $0 }
    for index in winners.indices where winners[index] == revoked[index] {
      Issue.record("frame \(index): claimed \(winners[index]), revoked \(revoked[index])")
    }
    #expect(revoked.contains(true))
  }
}
