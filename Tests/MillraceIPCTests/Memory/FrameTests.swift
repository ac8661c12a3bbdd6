import CMillrace
import MillraceIPC
import Testing

@Suite struct FrameTests {
  /// Every size, through every alignment of a ring of one page, both views of it included.
  @Test func framesOfAllSizesWrapAround() throws {
    let lane = try Lane(ringCapacity: 4096)
    var parent = ParentEnd(lane)
    var worker = WorkerEnd(lane, bell: .futex)
    var random = SeededGenerator(seed: 1)
    for round in 0..<3000 {
      let size = round % 3 == 0 ? random.below(parent.requests.ring.capacity - FrameHeader.size + 1) : random.below(200)
      let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
      defer { payload.deallocate() }
      fill(payload, seed: UInt64(round))
      let position = try parent.requests.send(
        FrameHeader(kind: UInt16(round), b: checksum(UnsafeRawBufferPointer(payload))),
        UnsafeRawBufferPointer(payload))
      let frame = try #require(try worker.requests.next())
      #expect(frame.position == position && frame.payload.count == size && frame.header.kind == UInt16(round))
      #expect(frame.header.b == checksum(frame.payload))
      #expect(Int(bitPattern: frame.payload.baseAddress) % 8 == 0)
      #expect(try worker.requests.next() == nil)
    }
  }

  @Test func ringIsFullUntilItIsRead() throws {
    let lane = try Lane(ringCapacity: 4096)
    var parent = ParentEnd(lane)
    var worker = WorkerEnd(lane, bell: .futex)
    var sent = 0
    while try parent.requests.send(FrameHeader(kind: 1)) != nil { sent += 1 }
    #expect(sent == 4096 / 32)
    #expect(try parent.requests.ring.reserve(1) == nil)
    #expect(try parent.requests.begin(FrameHeader(kind: 1)) == false)
    #expect(try worker.requests.ring.hasData())
    for _ in 0..<sent { #expect(try worker.requests.next()?.payload.count == 0) }
    #expect(try worker.requests.next() == nil)
    #expect(try parent.requests.ring.reserve(4096) != nil)
  }

  @Test func openFrameGrowsAndCanShrinkOrBeAbandoned() throws {
    let lane = try Lane(ringCapacity: 4096)
    var parent = ParentEnd(lane)
    var worker = WorkerEnd(lane, bell: .futex)
    #expect(try parent.requests.begin(FrameHeader(kind: 1)))
    #expect(try parent.requests.append(UnsafeRawBufferPointer(start: nil, count: 0)))
    #expect(try withUnsafeBytes(of: UInt16(0xABCD)) { try parent.requests.append($0) })
    #expect(parent.requests.openPayload == 2)
    // What does not fit is refused whole, with its padding counted.
    #expect(try parent.requests.append(count: 4096 - 32 - 1) == nil)
    let room = try parent.requests.append(count: 4096 - 32 - 2)
    #expect(room != nil)
    #expect(parent.requests.openPayload == parent.requests.ring.capacity - FrameHeader.size)
    parent.requests.truncate(toPayload: 2)
    try parent.requests.update(FrameHeader(kind: 9, c: 8))
    #expect(try worker.requests.next() == nil)
    try parent.requests.commit()
    let frame = try #require(try worker.requests.next())
    #expect(frame.payload.count == 2 && frame.payload.loadUnaligned(as: UInt16.self) == 0xABCD)
    #expect(frame.header == FrameHeader(kind: 9, c: 8))

    #expect(try parent.requests.begin(FrameHeader(kind: 2)))
    parent.requests.publish()
    parent.requests.abandon()
    #expect(try worker.requests.next() == nil)
    #expect(try worker.requests.uncommitted() == nil)
  }

  @Test func publishedBytesOfAnOpenFrameAreSalvaged() throws {
    let lane = try Lane(ringCapacity: 4096)
    var parent = ParentEnd(lane)
    var worker = WorkerEnd(lane, bell: .futex)
    for round in 0..<500 {
      #expect(try worker.responses.begin(FrameHeader(kind: 5, b: UInt64(round))))
      #expect(try withUnsafeBytes(of: UInt64(round)) { try worker.responses.append($0) })
      worker.responses.publish()
      #expect(try withUnsafeBytes(of: UInt64.max) { try worker.responses.append($0) })  // not published: lost
      #expect(try parent.responses.next() == nil)
      let salvaged = try #require(try parent.responses.uncommitted())
      #expect(salvaged.header == FrameHeader(kind: 5, b: UInt64(round)))
      #expect(salvaged.payload.count == 8 && salvaged.payload.load(as: UInt64.self) == UInt64(round))
      // Committed, it is read as a frame, and there is nothing to salvage.
      try worker.responses.commit()
      #expect(try parent.responses.uncommitted() == nil)
      #expect(try parent.responses.next()?.payload.count == 16)
    }
  }

  /// Millions of bytes through a ring of one page, both sides running as they can.
  @Test(.timeLimit(.minutes(1)), arguments: [4096, 1 << 16])
  func streamBetweenThreadsArrivesWhole(capacity: Int) throws {
    let count = 200_000
    let lane = try Lane(ringCapacity: capacity)
    let writer = TestThread {
      var parent = ParentEnd(lane)
      var random = SeededGenerator(seed: 3)
      let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
      defer { bytes.deallocate() }
      fill(bytes, seed: 4)
      do {
        for index in 0..<count {
          let size = random.below(32) == 0 ? random.below(3000) : random.below(64)
          let payload = UnsafeRawBufferPointer(rebasing: bytes[(index & 1023)..<(index & 1023) + size])
          let header = FrameHeader(kind: UInt16(size & 0xFFFF), b: UInt64(index), c: checksum(payload))
          while try parent.requests.send(header, payload) == nil {
            guard try parent.requests.waitForSpace(size, until: soon()) == .ready else { return }
          }
        }
      } catch {
        Issue.record(error)
        lane.close()
      }
    }
    var worker = WorkerEnd(lane, bell: .futex)
    var received = 0
    while received < count, try worker.requests.waitForData() == .ready {
      while let frame = try worker.requests.next() {
        guard frame.header.b == UInt64(received), frame.header.c == checksum(frame.payload),
          frame.header.kind == UInt16(frame.payload.count)
        else {
          Issue.record("frame \(received) is damaged")
          lane.close()
          break
        }
        received += 1
      }
    }
    #expect(received == count)
    writer.join()
  }
}
