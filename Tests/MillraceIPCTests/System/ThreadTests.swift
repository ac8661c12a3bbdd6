import Glibc
import MillraceIPC
import Synchronization
import Testing

/// Threads of ours, and what they sleep in.
@Suite(.timeLimit(.minutes(1))) struct ThreadTests {
  @Test("a ring before the wait is not lost, and one ring wakes once")
  func rings() throws {
    let bell = Bell()
    bell.ring()
    bell.ring()
    bell.waitForWork()
    let before = MonotonicTime.now
    bell.waitForWork(until: before + 5_000_000)
    #expect(MonotonicTime.now >= before + 5_000_000)
  }

  @Test("a bell wakes the thread that waits for it, for ever or for a time")
  func wakes() throws {
    let (mine, its) = (Bell(), Bell())
    try startThread("millrace-test") {
      mine.waitForWork()
      its.ring()
    }
    mine.ring()
    let limit = MonotonicTime.now + 20_000_000_000
    its.waitForWork(until: limit)
    #expect(MonotonicTime.now < limit)
  }

  @Test("who waits for a condition has its mutex again, and all are woken at once")
  func condition() throws {
    final class Scene: Sendable {
      let condition = Condition()
      let isOpen = Atomic(false)
      let through = Atomic(0)
      let ended = Bell()
    }
    let scene = Scene()
    for _ in 0..<3 {
      try startThread("millrace-test") {
        scene.condition.lock()
        while !scene.isOpen.load(ordering: .relaxed) { scene.condition.wait() }
        let isLast = scene.through.add(1, ordering: .relaxed).newValue == 3
        scene.condition.unlock()
        if isLast { scene.ended.ring() }
      }
    }
    scene.condition.lock()
    let wasWoken = scene.condition.wait(until: MonotonicTime.now + 1_000_000)
    #expect(!wasWoken)
    scene.isOpen.store(true, ordering: .relaxed)
    scene.condition.wakeAll()
    scene.condition.unlock()
    scene.ended.waitForWork()
    let through = scene.through.load(ordering: .relaxed)
    #expect(through == 3)
  }

  @Test("a thread has its name, and says when it is ended from within")
  func nameAndSuddenEnd() throws {
    final class Scene: Sendable {
      let name = Lock("")
      let hasReturned = Atomic(false)
      let ended = Bell()
    }
    let scene = Scene()
    try startThread("millrace-sudden", suddenEnd: { scene.ended.ring() }) {
      let file = open("/proc/thread-self/comm", O_RDONLY)
      var name = [UInt8](repeating: 0, count: 32)
      let count = read(file, &name, name.count)
      close(file)
      let text = String(decoding: name.prefix(max(count - 1, 0)), as: UTF8.self)
      scene.name.withLock { $0 = text }
      endThread()
      scene.hasReturned.store(true, ordering: .relaxed)
    }
    scene.ended.waitForWork()
    #expect(scene.name.withLock { $0 } == "millrace-sudden")
    let hasReturned = scene.hasReturned.load(ordering: .relaxed)
    #expect(!hasReturned)
  }

  @Test("an event descriptor is readable from the ring until it is heard")
  func eventDescriptor() throws {
    let bell = try Descriptor.bell()
    func isReadable() -> Bool {
      var event = pollfd(fd: bell.rawValue, events: Int16(POLLIN), revents: 0)
      return poll(&event, 1, 0) == 1
    }
    #expect(!isReadable())
    bell.ring()
    bell.ring()
    #expect(isReadable())
    bell.hear()
    #expect(!isReadable())
  }

  @Test("a pipe whose writing end is given up ends")
  func pipeEnds() throws {
    let pipe = try MillraceIPC.Pipe()
    #expect(write(pipe.writing.rawValue, "x", 1) == 1)
    let reading = pipe.closeWriting()
    var byte: UInt8 = 0
    #expect(read(reading.rawValue, &byte, 1) == 1 && byte == UInt8(ascii: "x"))
    #expect(read(reading.rawValue, &byte, 1) == 0)
  }
}

/// A call that may return, as far as the compiler knows.
private func endThread() { pthread_exit(nil) }
