import Glibc
import MillraceIPC
import MillraceTesting
import Testing

/// Starting workers in three ways.
@Suite(.forks, .timeLimit(.minutes(1)))
struct LaunchTests {
  private enum Echo: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      while case .message(let message)? = try? control.receive() {
        let text = String(decoding: message.bytes, as: UTF8.self)
        if let code = Int32(text) { return code }
        do { try control.send("echo \(text)") } catch { return 1 }
      }
      return 2
    }
  }

  @Test(arguments: StartMethod.allCases)
  func echoesAndExitsWithItsCode(method: StartMethod) throws {
    let worker = try TestWorker(Echo.self, by: method)
    try worker.control.send("one")
    #expect(try worker.receive() == "echo one")
    try worker.control.send("two")
    #expect(try worker.receive() == "echo two")
    #expect(!worker.child.hasEnded)
    try worker.control.send("42")
    let exit = try worker.waitForEnd()
    #expect(exit.reason == .exited(code: 42))
    #expect(exit.peakResidentBytes > 1 << 20)
    #expect(worker.child.hasEnded)
    #expect(try worker.receive() == nil)
  }

  /// Sets how many descriptors a process may have, and says how many that was.
  private func allow(_ count: rlim_t, of process: Int32 = getpid()) -> rlim_t {
    var before = rlimit()
    let kind = Int32(RLIMIT_NOFILE.rawValue)
    #expect(limitOfProcess(process, kind, nil, &before) == 0)
    var limit = rlimit(rlim_cur: count, rlim_max: before.rlim_max)
    #expect(limitOfProcess(process, kind, &limit, nil) == 0)
    return before.rlim_cur
  }

  private func launch(_ token: UInt64, by server: ForkServer) throws -> ControlSocket {
    let pair = try ControlSocket.Pair()
    try server.launch(token: token, control: pair.worker.rawValue)
    try pair.parent.send(#require(WorkerIntroduction(Echo.self)).bytes)
    return pair.parent
  }

  private func expectFails(_ token: UInt64, _ event: LaunchEvent?) {
    guard case .failed(token: token, let error)? = event, error.code == EMFILE else {
      Issue.record("\(String(describing: event))")
      return
    }
  }

  private func expectStarts(_ token: UInt64, by server: ForkServer) throws {
    let control = try launch(token, by: server)
    guard case .started(token: token, _)? = try server.nextEvent() else { throw Unexpected() }
    try control.send("0")
    guard case .exited(token: token, let exit)? = try server.nextEvent() else { throw Unexpected() }
    #expect(exit.reason == .exited(code: 0))
  }

  @Test("U229: a program without a descriptor for a worker loses that one, and not the fork server")
  func noDescriptorForAWorker() throws {
    let server = try ForkServer()
    try expectStarts(1, by: server)
    do {
      let control = try launch(2, by: server)
      var state = pollfd(fd: server.descriptor, events: Int16(POLLIN), revents: 0)
      while poll(&state, 1, -1) < 0 && errno == EINTR {}
      // As many as stand in use for ever.
      let before = allow(3)
      let events = Result { try server.events() }
      _ = allow(before)
      expectFails(2, try events.get().first)
      try control.send("0")
    }
    guard case .exited(token: 2, _)? = try server.nextEvent() else { throw Unexpected() }
    try expectStarts(3, by: server)
  }

  @Test("U229: a fork server without a descriptor for what it is asked says so")
  func noDescriptorInTheServer() throws {
    let server = try ForkServer()
    try expectStarts(1, by: server)
    let before = allow(3, of: server.pid)
    _ = try launch(2, by: server)
    expectFails(2, try server.nextEvent())
    _ = allow(before, of: server.pid)
    try expectStarts(3, by: server)
  }

  /// Two threads want the same global for the first time, and one of them has to wait for the other.
  private enum Racer: WorkerMain {
    private static let isBegun = Flag()
    private static let isWanted = Flag()
    private static let slow: Int32 = {
      isBegun.set()
      while !isWanted.isSet { usleep(100) }
      usleep(50_000)
      return 7
    }()

    static func run(control: consuming ControlSocket) -> Int32 {
      alarm(20)  // the fault that this looks for is a thread that tries again for ever
      let other = BareThread {
        while !isBegun.isSet { usleep(100) }
        isWanted.set()
        _ = slow
      }
      let own = slow
      other.join()
      return own
    }
  }

  @Test(arguments: StartMethod.allCases)
  func twoThreadsMayWantTheSameAtOnce(method: StartMethod) throws {
    #expect(try TestWorker(Racer.self, by: method).waitForEnd().reason == .exited(code: 7))
  }
}

/// Behind the macros that Swift does not see.
@_silgen_name("prlimit64")
private func limitOfProcess(
  _ process: Int32, _ kind: Int32, _ new: UnsafePointer<rlimit>?, _ old: UnsafeMutablePointer<rlimit>?
) -> Int32
