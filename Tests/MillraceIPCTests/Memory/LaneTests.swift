import CMillrace
import MillraceIPC
import Testing

#if canImport(Glibc)
import Glibc
#endif

@Suite struct LaneTests {
  private func duplicate(_ descriptor: Int32) -> Int32 { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }

  @Test func bothMappingsShowTheSameMemory() throws {
    let lane = try Lane(ringCapacity: 5000, responseCapacity: 1, epoch: 7)
    #expect(lane.requestCapacity == 8192)
    #expect(lane.responseCapacity == SharedMemory.pageSize)
    let mapped = try Lane(mapping: duplicate(lane.descriptor))
    #expect(mapped.requestCapacity == 8192 && mapped.responseCapacity == SharedMemory.pageSize && mapped.epoch == 7)

    lane.crashRecord.storeBytes(of: 42, toByteOffset: Lane.crashRecordSize - 8, as: UInt64.self)
    #expect(mapped.crashRecord.load(fromByteOffset: Lane.crashRecordSize - 8, as: UInt64.self) == 42)

    var parent = ParentEnd(lane)
    var worker = WorkerEnd(mapped, bell: .futex)
    let sent = try withUnsafeBytes(of: UInt64(99)) {
      try parent.requests.send(FrameHeader(kind: 3, a: 4, b: 5, c: 6), $0)
    }
    #expect(sent == 0)
    let frame = try #require(try worker.requests.next())
    #expect(frame.header == FrameHeader(kind: 3, a: 4, b: 5, c: 6))
    #expect(frame.payload.load(as: UInt64.self) == 99)
  }

  @Test func memoryCannotShrinkUnderTheReader() throws {
    let memory = try SharedMemory(size: 10_000)
    #expect(memory.size == SharedMemory.pageSize * ((9_999 / SharedMemory.pageSize) + 1))
    #expect(ftruncate(memory.descriptor, 0) == -1)
    #expect(ftruncate(memory.descriptor, 1 << 20) == -1)
    #expect(fcntl(memory.descriptor, F_GETFD) & FD_CLOEXEC != 0)
  }

  @Test func foreignDescriptorsAreRefused() throws {
    // A pipe is no memory file; the descriptor is closed all the same.
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    #expect(throws: MemoryError("adopting shared memory", code: EINVAL)) { _ = try Lane(mapping: ends[0]) }
    var other = pollfd(fd: ends[1], events: 0, revents: 0)
    #expect(poll(&other, 1, 0) == 1 && Int32(other.revents) & POLLERR != 0)
    close(ends[1])

    // Memory that is no lane.
    let memory = try SharedMemory(size: 1 << 16)
    let copy = duplicate(memory.descriptor)
    #expect(throws: ProtocolError.lane("wrong magic number")) { _ = try Lane(mapping: copy) }
    #expect(throws: MemoryError.self) { _ = try Lane(mapping: -1) }
  }

  @Test(arguments: [
    (LaneLayout.magicOffset, 1), (LaneLayout.versionOffset, 99), (LaneLayout.headerSizeOffset, 64),
    (LaneLayout.requestCapacityOffset, 5000), (LaneLayout.requestCapacityOffset, 0),
    (LaneLayout.requestCapacityOffset, 1 << 20), (LaneLayout.responseCapacityOffset, 1 << 40),
    (LaneLayout.responseCapacityOffset, -4096),
  ])
  func damagedHeadersAreRefused(offset: Int, value: Int) throws {
    let lane = try Lane(ringCapacity: 4096)
    let peer = try HostilePeer(of: lane)
    if offset == LaneLayout.versionOffset || offset == LaneLayout.headerSizeOffset {
      peer.set(offset, UInt32(value))
    } else {
      peer.set(offset, value)
    }
    #expect(throws: ProtocolError.self) { _ = try Lane(mapping: duplicate(lane.descriptor)) }
  }

  @Test func lanesLeaveNothingBehind() throws {
    func mappings() throws -> Int {
      let file = try #require(fopen("/proc/self/maps", "r"))
      defer { fclose(file) }
      var count = 0
      var line = [CChar](repeating: 0, count: 1024)
      while fgets(&line, 1024, file) != nil {
        if line.withUnsafeBufferPointer({ strstr($0.baseAddress!, "millrace-leak") }) != nil { count += 1 }
      }
      return count
    }
    do {
      let memory = try SharedMemory(size: 1 << 16, name: "millrace-leak")
      let mapping = try memory.map()
      mapping.base.storeBytes(of: 1, as: UInt8.self)
      #expect(try mappings() == 1)
    }
    #expect(try mappings() == 0)
  }
}
