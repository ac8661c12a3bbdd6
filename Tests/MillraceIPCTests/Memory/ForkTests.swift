import CMillrace
import MillraceIPC
import MillraceTesting
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// Real processes: the lane is mapped a second time in the child, from its descriptor.
@Suite(.forks, .serialized) struct ForkTests {
  private static func work(_ lane: Lane, bell: Doorbell, dieAfter limit: Int) -> Int32 {
    var worker = WorkerEnd(lane, bell: bell)
    var done = 0
    do {
      while try worker.requests.waitForData() == .ready {
        worker.marker.beginChunk(1)
        guard try worker.responses.begin(FrameHeader(kind: 2)) else { return 3 }
        while let frame = try worker.requests.nextClaimed() {
          let answer = frame.header.b &* 2
          guard try withUnsafeBytes(of: answer, { try worker.responses.append($0) }) else { return 4 }
          worker.responses.publish()
          lane.finishItem()
          done += 1
          if done == limit { kill(getpid(), SIGKILL) }
        }
        try worker.responses.commit()
      }
    } catch {
      return 5
    }
    return 0
  }

  @Test(.timeLimit(.minutes(1))) func deadWorkersOutputsAreSalvaged() throws {
    let bell = millrace_bell_create()
    defer { close(bell) }
    // The worker's code has run in this process before it runs in a child.
    let rehearsal = try Lane(ringCapacity: 1 << 16)
    var parent = ParentEnd(rehearsal)
    _ = try parent.requests.send(FrameHeader(kind: 1))
    rehearsal.close()
    #expect(Self.work(rehearsal, bell: .event(bell), dieAfter: 0) == 0)

    for limit in [1, 17, 100] {
      let lane = try Lane(ringCapacity: 1 << 16)
      var parent = ParentEnd(lane)
      for index in 0..<100 { _ = try parent.requests.send(FrameHeader(kind: 1, b: UInt64(index))) }
      let child = forkChild {
        guard let mapped = try? Lane(mapping: fcntl(lane.descriptor, F_DUPFD_CLOEXEC, 0)) else { return 2 }
        return Self.work(mapped, bell: .event(bell), dieAfter: limit)
      }
      #expect(waitForExit(child) == -SIGKILL)
      let snapshot = lane.snapshot()
      #expect(snapshot.state == .running && snapshot.chunk == 1 && snapshot.completed == limit)
      #expect(try parent.responses.next() == nil)
      let salvaged = try #require(try parent.responses.uncommitted())
      #expect(salvaged.payload.count == 8 * limit)
      for index in 0..<limit {
        #expect(salvaged.payload.load(fromByteOffset: 8 * index, as: UInt64.self) == UInt64(2 * index))
      }
    }
  }

  @Test(.timeLimit(.minutes(1))) func processesSleepAndWakeEachOther() throws {
    let bell = millrace_bell_create()
    defer { close(bell) }
    let rehearsal = try Lane(ringCapacity: 1 << 16)
    rehearsal.close()
    #expect(Self.work(rehearsal, bell: .event(bell), dieAfter: 0) == 0)

    let lane = try Lane(ringCapacity: 1 << 16)
    let child = forkChild {
      guard let mapped = try? Lane(mapping: fcntl(lane.descriptor, F_DUPFD_CLOEXEC, 0)) else { return 2 }
      return Self.work(mapped, bell: .event(bell), dieAfter: 0)
    }
    var parent = ParentEnd(lane)
    for round in 0..<5_000 {
      _ = try parent.requests.send(FrameHeader(kind: 1, b: UInt64(round)))
      while true {
        if let frame = try parent.responses.next() {
          // A worker may be woken again for a request that it has answered: that frame is empty.
          if frame.payload.isEmpty { continue }
          #expect(frame.payload.load(as: UInt64.self) == UInt64(2 * round))
          break
        }
        guard try parent.armResponses() else { continue }
        var poll = pollfd(fd: bell, events: Int16(POLLIN), revents: 0)
        _ = Glibc.poll(&poll, 1, -1)
        millrace_bell_clear(bell)
      }
    }
    lane.close()
    #expect(waitForExit(child) == 0)
  }
}
