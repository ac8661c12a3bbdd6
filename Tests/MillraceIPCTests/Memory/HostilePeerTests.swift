import MillraceIPC
import Testing

/// Whatever a peer writes into the words and the frames, our side throws; it never traps and never reads beyond the ring.
@Suite struct HostilePeerTests {
  private let head = LaneLayout.responsesOffset + LaneLayout.headOffset
  private let openEnd = LaneLayout.responsesOffset + LaneLayout.openEndOffset
  private let tail = LaneLayout.requestsOffset + LaneLayout.tailOffset
  private let responseBytes = SharedMemory.pageSize + 4096

  @Test(arguments: [4097, 1 << 40, UInt64.max, UInt64.max - 4095, 1 << 63])
  func impossibleWriterIndexIsThrown(value: UInt64) throws {
    let lane = try Lane(ringCapacity: 4096)
    var parent = ParentEnd(lane)
    try HostilePeer(of: lane).set(head, value)
    let expected = ProtocolError.index(writer: value, reader: 0, capacity: 4096)
    #expect(throws: expected) { try parent.responses.next() }
    #expect(throws: expected) { try parent.responses.ring.hasData() }
    #expect(throws: expected) { try parent.armResponses() }
    #expect(throws: expected) { try parent.responses.waitForData() }
  }

  @Test func writerIndexMovedBackIsThrown() throws {
    let lane = try Lane(ringCapacity: 4096)
    var parent = ParentEnd(lane)
    var worker = WorkerEnd(lane, bell: .futex)
    for _ in 0..<3 { _ = try worker.responses.send(FrameHeader(kind: 1)) }
    #expect(try parent.responses.next() != nil)
    let peer = try HostilePeer(of: lane)
    peer.set(head, UInt64(64))
    #expect(throws: ProtocolError.self) { _ = try parent.responses.ring.uncommitted() }
  }

  @Test(arguments: [1, 33, UInt64.max, 1 << 63])
  func impossibleReaderIndexIsThrown(value: UInt64) throws {
    let lane = try Lane(ringCapacity: 4096)
    var parent = ParentEnd(lane)
    #expect(try parent.requests.send(FrameHeader(kind: 1)) == 0)
    let peer = try HostilePeer(of: lane)
    // An index within what was written is possible, only wrong: the reader then harms itself alone.
    guard value > 32 else { return peer.set(tail, value) }
    peer.set(tail, value)
    #expect(throws: ProtocolError.index(writer: 32, reader: value, capacity: 4096)) {
      _ = try parent.requests.ring.reserve(4096)
    }
    #expect(throws: ProtocolError.self) { try parent.requests.revoke(at: 0) }
    #expect(throws: ProtocolError.self) { try parent.armRequestSpace(4064) }
    #expect(throws: ProtocolError.self) { try parent.requests.waitForSpace(4064) }
  }

  @Test(arguments: [(32, 1), (32, UInt32.max), (32, 1 << 31), (8, 0), (24, 0), (4096, 4065)] as [(UInt64, UInt32)])
  func impossibleLengthIsThrown(committed: UInt64, length: UInt32) throws {
    let lane = try Lane(ringCapacity: 4096)
    var parent = ParentEnd(lane)
    let peer = try HostilePeer(of: lane)
    peer.set(responseBytes, length)
    peer.set(head, committed)
    #expect(throws: ProtocolError.self) { try parent.responses.next() }
  }

  @Test(arguments: [1, 31, 4097, 1 << 40, (1 << 63) - 1] as [UInt64])
  func impossibleSalvageIsThrown(end: UInt64) throws {
    let lane = try Lane(ringCapacity: 4096)
    var parent = ParentEnd(lane)
    try HostilePeer(of: lane).set(openEnd, end)
    #expect(throws: ProtocolError.self) { try parent.responses.uncommitted() }
  }

  @Test func unknownStateIsNil() throws {
    let lane = try Lane(ringCapacity: 4096)
    try HostilePeer(of: lane).set(LaneLayout.markerOffset, UInt32(77))
    #expect(lane.snapshot().state == nil)
  }

  /// A peer that writes anything anywhere, at random.
  @Test(.timeLimit(.minutes(1))) func randomDamageNeverTraps() throws {
    var random = SeededGenerator(seed: 11)
    var thrown = 0
    for _ in 0..<300 {
      let lane = try Lane(ringCapacity: 4096)
      var parent = ParentEnd(lane)
      let peer = try HostilePeer(of: lane)
      for _ in 0..<40 {
        do {
          let value = random.below(2) == 0 ? random.next() : UInt64(random.below(4200))
          switch random.below(6) {
          case 0: peer.set(head, value)
          case 1: peer.set(head, peer.get(head, as: UInt64.self) &+ UInt64(32 * random.below(8)))
          case 2: peer.set(tail, value)
          case 3: peer.set(openEnd, value)
          default: peer.set(responseBytes + 8 * random.below(512), UInt32(truncatingIfNeeded: value))
          }
          var sum: UInt64 = 0
          while let frame = try parent.responses.next() { sum &+= checksum(frame.payload) }
          if let frame = try parent.responses.uncommitted() { sum &+= checksum(frame.payload) }
          if let position = try parent.requests.send(FrameHeader(kind: 1, b: sum)) {
            _ = try parent.requests.revoke(at: position)
          }
          _ = try parent.armResponses()
          _ = try parent.armRequestSpace(random.below(4000))
        } catch {
          thrown += 1
        }
      }
    }
    #expect(thrown > 0)
  }
}
