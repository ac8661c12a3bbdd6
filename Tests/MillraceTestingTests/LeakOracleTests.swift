import Foundation
import MillraceTesting
import Testing

/// Leaks on purpose, sees that the oracle sees it, and cleans up.
extension Checked {
  @Suite struct LeakOracleTests {
    /// What the oracle says of a body, or `nil` if it is content.
    ///
    /// Impatient, for nothing here goes by itself.
    private func leak(
      within limit: Duration = .milliseconds(20), _ body: () async throws -> Void
    ) async throws -> Leak? {
      do {
        try await LeakOracle.check(within: limit, body)
        return nil
      } catch let leak as Leak {
        return leak
      }
    }

    @Test func aBodyThatLeavesNothingPassesAndItsValueComesBack() async throws {
      let value = try await LeakOracle.check { 42 }
      #expect(value == 42)
    }

    @Test func aDescriptorIsSeenWithItsTarget() async throws {
      var descriptor: Int32 = -1
      defer { close(descriptor) }
      let leak = try #require(try await leak { descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC) })
      #expect(leak.resources.map(\.kind) == [.descriptor])
      #expect("\(leak)".contains("descriptor \(descriptor) -> /dev/null"))
    }

    @Test func aDescriptorThatTakesTheNumberOfAnotherIsSeen() async throws {
      var descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
      let number = descriptor
      defer { close(descriptor) }
      let leak = try await leak {
        close(descriptor)
        descriptor = open("/dev/zero", O_RDONLY | O_CLOEXEC)
      }
      #expect(descriptor == number)
      #expect(leak?.resources.map(\.detail) == ["\(number) -> /dev/zero"])
    }

    @Test func aRunningChildAndAZombieAreSeen() async throws {
      var child = Child()
      let running = try #require(try await leak { child = try Child("exec sleep 1000") })
      #expect(running.resources.map(\.kind) == [.process])
      #expect("\(running)".contains("process \(child.id) ("))

      let zombie = try await leak {
        let other = try Child("exit 0")
        child.kill()
        child = other
        child.waitUntilItIsAZombie()
      }
      #expect(zombie?.resources.map(\.kind) == [.process])
      #expect(zombie.map { "\($0)".contains("process \(child.id)") && "\($0)".contains("state Z") } == true)
      child.kill()
    }

    @Test func aGrandchildThatLostItsParentIsSeen() async throws {
      // The shell leaves its own child behind and tells us its number.
      var orphan: pid_t = 0
      let leak = try await leak { orphan = try Child.orphan("sleep 1000") }
      defer { kill(orphan, SIGKILL) }
      #expect(leak?.resources.map(\.kind) == [.process])
      #expect(leak.map { "\($0)".contains("process \(orphan) (sleep)") } == true)
    }

    @Test func aThreadIsSeenWithItsName() async throws {
      let end = DispatchSemaphore(value: 0)
      let leak = try await leak {
        await withCheckedContinuation { isNamed in
          let thread = Thread {
            try? "leaked-thread".write(toFile: "/proc/thread-self/comm", atomically: false, encoding: .utf8)
            isNamed.resume()
            end.wait()
          }
          thread.start()
        }
      }
      #expect(leak?.resources.map(\.kind) == [.thread])
      #expect(leak.map { "\($0)".contains("(leaked-thread)") } == true)
      end.signal()
    }

    @Test func threadsOfDispatchAndOfSwiftConcurrencyAreLeftOut() async throws {
      try await LeakOracle.check {
        await withTaskGroup { group in
          for _ in 0..<8 { group.addTask { usleep(1_000) } }
        }
        DispatchQueue.concurrentPerform(iterations: 8) { _ in usleep(1_000) }
        try await Task.sleep(for: .milliseconds(1))
      }
    }

    @Test func sharedMemoryIsSeenByItsMapping() async throws {
      var memory: UnsafeMutableRawPointer?
      let leak = try await leak {
        memory = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
      }
      defer { munmap(memory, 4096) }
      #expect(leak?.resources.map(\.kind) == [.sharedMemory])
    }

    @Test func aNamedSegmentOfOursIsSeen() async throws {
      let name = "/dev/shm/leak-\(getpid())"
      defer { unlink(name) }
      let leak = try await leak { close(open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)) }
      #expect(leak?.resources.map(\.detail) == [name])
      #expect(leak?.resources.map(\.kind) == [.sharedMemory])
    }

    @Test func aFileInTheTemporaryDirectoryIsSeen() async throws {
      let directory = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
      let name = "\(directory)/leak-\(getpid())"
      defer { unlink(name) }
      let leak = try await leak { close(open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)) }
      #expect(leak?.resources.map(\.detail) == [name])
      #expect(leak?.resources.map(\.kind) == [.file])
    }

    @Test func whatGoesInTimeIsNoLeak() async throws {
      try await LeakOracle.check(within: .seconds(30)) {
        let child = try Child("exec sleep 0.05")
        let reaper = Thread { child.reap() }
        reaper.start()
      }
    }

    @Test func whatWasThereBeforeIsNoLeakAndMayGo() async throws {
      let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
      try await LeakOracle.check { _ = close(descriptor) }
    }

    @Test func whatIsIgnoredIsNoLeak() async throws {
      var descriptor: Int32 = -1
      defer { close(descriptor) }
      try await LeakOracle(ignoring: { $0.detail.hasSuffix("/dev/null") }).check(within: .zero) {
        descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
      }
      #expect(descriptor >= 0)
    }

    @Test(
      "U340: three timers of one clock, as Foundation's run loops have, are not taken for Dispatch's of three clocks")
    func timers() throws {
      typealias Timer = @convention(c) (Int32, Int32) -> Int32
      typealias Loop = @convention(c) (Int32) -> Int32
      typealias Watch = @convention(c) (Int32, Int32, Int32, UnsafeRawPointer) -> Int32
      // Glibc's module has neither timers nor event loops.
      func symbol(_ name: String) throws -> UnsafeMutableRawPointer {
        guard let found = dlsym(nil, name) else { throw POSIXError(.ENOSYS) }
        return found
      }
      let makeTimer = unsafeBitCast(try symbol("timerfd_create"), to: Timer.self)
      let makeLoop = unsafeBitCast(try symbol("epoll_create1"), to: Loop.self)
      let watch = unsafeBitCast(try symbol("epoll_ctl"), to: Watch.self)
      for (clocks, isDispatchs) in [([1, 1, 1], false), ([0, 1, 7], true), ([0, 1], false)] as [([Int32], Bool)] {
        // Close-on-exec, as all of the program's.
        let loop = makeLoop(O_CLOEXEC)
        let timers = clocks.map { makeTimer($0, O_CLOEXEC) }
        defer { for descriptor in timers + [loop] { close(descriptor) } }
        // EPOLLIN, and no data.
        let event: [UInt32] = [1, 0, 0]
        for timer in timers { #expect(event.withUnsafeBytes { watch(loop, 1, timer, $0.baseAddress!) } == 0) }
        #expect(watchesThreeClocks(Int(loop)) == isDispatchs, "\(clocks)")
      }
    }

    @Test func aBodyThatThrowsIsJudgedToo() async throws {
      struct Failure: Error {}
      await #expect(throws: Failure.self) { try await LeakOracle.check { throw Failure() } }

      var descriptor: Int32 = -1
      defer { close(descriptor) }
      let leak = try await leak {
        descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        throw Failure()
      }
      #expect(leak?.cause is Failure)
      #expect(leak.map { "\($0)".contains("The body threw: Failure()") } == true)
    }
  }
}
