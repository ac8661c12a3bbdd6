import CMillrace
import MillraceIPC
import Testing

#if canImport(Glibc)
import Glibc
#endif

@Suite struct SegmentTests {
  private func copy(_ descriptor: Int32) -> Int32 { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }

  @Test func sizesWasteAThirdAtMost() {
    #expect(SegmentLayout.capacity(holding: 0) == 64 << 10)
    #expect(SegmentLayout.capacity(holding: 64 << 10) == 64 << 10)
    #expect(SegmentLayout.capacity(holding: (64 << 10) + 1) == 96 << 10)
    #expect(SegmentLayout.capacity(holding: (96 << 10) + 1) == 128 << 10)
    #expect(SegmentLayout.capacity(holding: 100 << 20) == 128 << 20)
    #expect(SegmentLayout.capacity(holding: 90 << 20) == 96 << 20)
  }

  @Test(arguments: [0, 1, 65_536, 65_537, 1 << 20, 100 << 20])
  func payloadArrives(length: Int) throws {
    let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 8)
    defer { payload.deallocate() }
    if length > 1 << 20 {
      memset(payload.baseAddress!, 0x5A, length)
    } else {
      fill(payload, seed: UInt64(length))
    }
    var sender = SegmentSender()
    var receiver = SegmentReceiver()
    let placement = try sender.place(length)
    #expect(placement.buffer.count == length)
    placement.buffer.copyMemory(from: UnsafeRawBufferPointer(payload))
    let isKnown = receiver.contains(placement.id)
    #expect(!isKnown)
    try receiver.adopt(placement.id, descriptor: copy(try #require(placement.newDescriptor)))
    let bytes = try receiver.resolve(placement.id, length: length)
    #expect(bytes.count == length)
    #expect(length == 0 || memcmp(bytes.baseAddress!, payload.baseAddress!, length) == 0)
    receiver.release(placement.id)
  }

  @Test func releasedSegmentsAreUsedAgain() throws {
    var sender = SegmentSender()
    var receiver = SegmentReceiver()
    let first = try sender.place(1 << 20)
    try receiver.adopt(first.id, descriptor: copy(first.newDescriptor!))
    let second = try sender.place(1 << 20)  // the first is still busy
    #expect(second.id != first.id && second.newDescriptor != nil)
    try receiver.adopt(second.id, descriptor: copy(second.newDescriptor!))

    _ = try receiver.resolve(first.id, length: 1 << 20)
    receiver.release(first.id)
    let third = try sender.place(700_000)
    #expect(third.id == first.id && third.newDescriptor == nil && third.buffer.count == 700_000)
    #expect(sender.sizes.idle == 0 && sender.sizes.all == 2 << 20)

    // A small payload does not take a segment that is far too large.
    sender.cancel(third.id, isAnnounced: true)
    #expect(sender.sizes.idle == 1 << 20)
    #expect(try sender.place(65_536).id != first.id)
  }

  @Test func canceledPlacementIsAnnouncedLater() throws {
    var sender = SegmentSender()
    let lost = try sender.place(70_000)
    sender.cancel(lost.id, isAnnounced: false)
    let again = try sender.place(70_000)
    #expect(again.id == lost.id && again.newDescriptor != nil)
    sender.cancel(again.id, isAnnounced: true)
    #expect(try sender.place(70_000).newDescriptor == nil)
  }

  @Test func idleSegmentsAreBounded() throws {
    var sender = SegmentSender(idleLimit: 1 << 20)
    var receiver = SegmentReceiver()
    var ids: [UInt32] = []
    for length in [64 << 10, 128 << 10, 1 << 20, 2 << 20, 4 << 20] {
      let placement = try sender.place(length)
      try receiver.adopt(placement.id, descriptor: copy(placement.newDescriptor!))
      _ = try receiver.resolve(placement.id, length: length)
      ids.append(placement.id)
    }
    var retired: [UInt32] = []
    sender.tellRetired { _ in
      Issue.record("nothing was dropped")
      return true
    }
    for id in ids { receiver.release(id) }
    sender.trim(to: sender.idleLimit)
    // There is no room for more than one, and then there is.
    for room in [1, 0, 5] {
      sender.tellRetired { id in
        guard retired.count < room else { return false }
        retired.append(id)
        return true
      }
      #expect(retired.count == (room == 5 ? 3 : 1))
    }
    // The largest went first and is told last, and what is left is within the limit.
    #expect(retired == Array(ids[2...]))
    #expect(sender.sizes.idle == 192 << 10)
    try receiver.drop(ids[4])
    try receiver.drop(ids[4])
    let known = ids.filter { receiver.contains($0) }
    #expect(known == Array(ids[..<4]))
    #expect(try sender.place(100_000).id == ids[1])
  }

  @Test func hostileSendersAreRefused() throws {
    var receiver = SegmentReceiver(countLimit: 2, byteLimit: 1 << 20)
    // Memory that could shrink.
    let unsealed = unsealedMemory(size: 1 << 17)
    #expect(throws: MemoryError("adopting shared memory", code: EPERM)) { try receiver.adopt(1, descriptor: unsealed) }
    // No memory at all, and memory without room for data.
    #expect(throws: MemoryError.self) { try receiver.adopt(1, descriptor: -1) }
    let page = try SharedMemory(size: 1)
    #expect(throws: ProtocolError.self) { try receiver.adopt(1, descriptor: copy(page.descriptor)) }

    var sender = SegmentSender()
    let placement = try sender.place(100_000)
    let descriptor = placement.newDescriptor!
    #expect(throws: ProtocolError.segment(1, "never announced")) { try receiver.resolve(1, length: 0) }
    try receiver.adopt(1, descriptor: copy(descriptor))
    #expect(throws: ProtocolError.segment(1, "announced twice")) { try receiver.adopt(1, descriptor: copy(descriptor)) }
    for length in [-1, (128 << 10) + 1, .max, .min] {
      #expect(throws: ProtocolError.self) { try receiver.resolve(1, length: length) }
    }
    #expect(try receiver.resolve(1, length: 128 << 10).count == 128 << 10)
    #expect(throws: ProtocolError.segment(1, "sent again before it was released")) {
      try receiver.resolve(1, length: 1)
    }
    #expect(throws: ProtocolError.segment(1, "retired before it was released")) { try receiver.drop(1) }

    // Limits.
    let large = try sender.place(1 << 20)
    #expect(throws: ProtocolError.self) { try receiver.adopt(2, descriptor: copy(large.newDescriptor!)) }
    try receiver.adopt(2, descriptor: copy(descriptor))
    #expect(throws: ProtocolError.self) { try receiver.adopt(3, descriptor: copy(descriptor)) }
  }

  /// Segments go round between two threads, named in frames; their descriptors go by a side channel.
  @Test(.timeLimit(.minutes(1))) func segmentsGoRound() throws {
    let count = 2_000
    let lane = try Lane(ringCapacity: 4096)
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    defer {
      close(reading)
      close(writing)
    }
    let thread = TestThread {
      var parent = ParentEnd(lane)
      var sender = SegmentSender(idleLimit: 1 << 20)
      var random = SeededGenerator(seed: 8)
      do {
        for index in 0..<count {
          let length = random.below(300_000)
          let placement = try sender.place(length)
          memset(placement.buffer.baseAddress!, Int32(index & 0xFF), length)
          if let descriptor = placement.newDescriptor {
            var announcement = (placement.id, fcntl(descriptor, F_DUPFD_CLOEXEC, 0))
            #expect(write(writing, &announcement, 8) == 8)
          }
          let header = FrameHeader(kind: 1, a: placement.id, b: UInt64(length), c: UInt64(index))
          while try parent.requests.send(header) == nil {
            guard try parent.requests.waitForSpace(0, until: soon()) == .ready else { return }
          }
          try sender.tellRetired { try parent.requests.send(FrameHeader(kind: 2, a: $0)) != nil }
        }
        #expect(sender.sizes.all < 64 << 20)  // recycled: 2,000 payloads are 300 MB
      } catch {
        Issue.record(error)
        lane.close()
      }
    }
    var worker = WorkerEnd(lane, bell: .futex)
    var receiver = SegmentReceiver()
    var received = 0
    while received < count, try worker.requests.waitForData() == .ready {
      while let frame = try worker.requests.next() {
        let id = frame.header.a
        if frame.header.kind == 2 {
          try receiver.drop(id)
          continue
        }
        while !receiver.contains(id) {
          var announcement: (UInt32, Int32) = (0, 0)
          #expect(read(reading, &announcement, 8) == 8)
          try receiver.adopt(announcement.0, descriptor: announcement.1)
        }
        let bytes = try receiver.resolve(id, length: Int(frame.header.b))
        let value = UInt8(truncatingIfNeeded: received)
        #expect(frame.header.c == UInt64(received))
        #expect(bytes.first ?? value == value && bytes.last ?? value == value)
        if bytes.count > 1 { #expect(memcmp(bytes.baseAddress!, bytes.baseAddress! + 1, bytes.count - 1) == 0) }
        receiver.release(id)
        received += 1
      }
    }
    #expect(received == count)
    lane.close()
    thread.join()
  }
}
