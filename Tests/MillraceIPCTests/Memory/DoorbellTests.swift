import CMillrace
import MillraceIPC
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#endif

@Suite struct DoorbellTests {
  /// A parent on an event descriptor and a worker on futexes play ping-pong, so that each sleeps before nearly every frame: one lost
  /// wake-up, and the test hangs.
  @Test("F70 no wake-up is lost, one by one", .timeLimit(.minutes(1)), arguments: [0, 2_000] as [UInt64])
  func noWakeUpIsLostOneByOne(spin: UInt64) throws {
    let rounds = 20_000
    let lane = try Lane(ringCapacity: 4096)
    let bell = millrace_bell_create()
    defer { close(bell) }
    let echo = TestThread { Self.echo(lane, bell: .event(bell), spin: spin) }
    var parent = ParentEnd(lane)
    for round in 0..<rounds {
      #expect(try parent.requests.send(FrameHeader(kind: 1, b: UInt64(round))) != nil)
      var answer: UInt64?
      while answer == nil {
        answer = try parent.responses.next()?.header.b
        if try answer == nil && parent.armResponses() { Self.sleep(bell) }
      }
      #expect(answer == UInt64(round))
    }
    lane.close()
    echo.join()
  }

  /// Both rings of one page run full and empty all the time, with frames that hardly fit.
  @Test("F70 no wake-up is lost in a flood", .timeLimit(.minutes(1)))
  func noWakeUpIsLostInAFlood() throws {
    let count = 60_000
    let lane = try Lane(ringCapacity: 4096)
    let bell = millrace_bell_create()
    defer { close(bell) }
    let echo = TestThread { Self.echo(lane, bell: .event(bell), spin: 0) }
    var parent = ParentEnd(lane)
    var random = SeededGenerator(seed: 5)
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4000, alignment: 8)
    bytes.initializeMemory(as: UInt8.self, repeating: 1)
    defer { bytes.deallocate() }
    var sent = 0
    var received = 0
    var size = 8
    while received < count {
      while let frame = try parent.responses.next() {
        #expect(frame.header.b == UInt64(received))
        received += 1
      }
      while sent < count {
        let header = FrameHeader(kind: 1, b: UInt64(sent))
        guard try parent.requests.send(header, UnsafeRawBufferPointer(rebasing: bytes[..<size])) != nil else { break }
        sent += 1
        size = random.below(16) == 0 ? 8 * random.below(490) : 8 * random.below(8)
      }
      guard received < count else { break }
      // The order does not matter, but both must be armed before the sleep.
      guard try parent.armResponses() else { continue }
      guard try sent == count || parent.armRequestSpace(size) else { continue }
      Self.sleep(bell)
      parent.disarm()
    }
    lane.close()
    echo.join()
  }

  @Test(.timeLimit(.minutes(1))) func waitsEndAtTheirDeadlineAndWhenClosed() throws {
    let lane = try Lane(ringCapacity: 4096)
    var worker = WorkerEnd(lane, bell: .futex)
    let deadline = MonotonicTime.now + 2_000_000
    #expect(try worker.requests.waitForData(until: deadline) == .timedOut)
    #expect(MonotonicTime.now >= deadline)
    #expect(try worker.requests.waitForData(until: 0) == .timedOut)
    while try worker.responses.send(FrameHeader(kind: 1)) != nil {}
    #expect(try worker.responses.waitForSpace(1, until: MonotonicTime.now + 1_000_000) == .timedOut)

    let closer = TestThread { lane.close() }
    #expect(try worker.requests.waitForData() == .closed)
    #expect(try worker.responses.waitForSpace(1) == .closed)
    closer.join()
    // What is there is still read first.
    var parent = ParentEnd(lane)
    _ = try parent.requests.send(FrameHeader(kind: 1))
    #expect(try worker.requests.waitForData() == .ready)
  }

  @Test func bellIsRungOnlyForOneWhoSleeps() throws {
    let lane = try Lane(ringCapacity: 4096)
    let bell = millrace_bell_create()
    defer { close(bell) }
    var parent = ParentEnd(lane)
    var worker = WorkerEnd(lane, bell: .event(bell))
    func rings() -> Bool {
      var poll = pollfd(fd: bell, events: Int16(POLLIN), revents: 0)
      let ready = Glibc.poll(&poll, 1, 0) == 1
      millrace_bell_clear(bell)
      return ready
    }
    _ = try worker.responses.send(FrameHeader(kind: 1))
    #expect(!rings())
    #expect(try parent.armResponses() == false)  // there is data
    #expect(try parent.responses.next() != nil)
    #expect(try parent.armResponses())
    _ = try worker.responses.send(FrameHeader(kind: 1))
    #expect(rings())
    _ = try worker.responses.send(FrameHeader(kind: 1))
    #expect(!rings())  // once is enough

    #expect(try parent.armRequestSpace(4064) == false)
    while try parent.requests.send(FrameHeader(kind: 1)) != nil {}
    #expect(try parent.armRequestSpace(0))
    for _ in 0..<4096 / 32 / 4 {
      #expect(!rings())
      #expect(try worker.requests.next() != nil)
    }
    #expect(!rings())
    worker.requests.finish()  // a quarter of the ring is free
    #expect(rings())
  }

  /// Sends every request back as a response.
  private static func echo(_ lane: Lane, bell: Doorbell, spin: UInt64) {
    var worker = WorkerEnd(lane, bell: bell, spin: spin)
    do {
      while try worker.requests.waitForData() == .ready {
        while let frame = try worker.requests.next() {
          while try worker.responses.send(frame.header, frame.payload) == nil {
            guard try worker.responses.waitForSpace(frame.payload.count) == .ready else { return }
          }
        }
      }
    } catch {
      Issue.record(error)
    }
  }

  private static func sleep(_ bell: Int32) {
    var poll = pollfd(fd: bell, events: Int16(POLLIN), revents: 0)
    while Glibc.poll(&poll, 1, -1) < 0 && errno == EINTR {}
    millrace_bell_clear(bell)
  }
}
