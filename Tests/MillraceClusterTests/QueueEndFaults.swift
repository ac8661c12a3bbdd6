#if Cluster
import CMillrace
import Logging
import Millrace
import MillraceIPC
import TestSupport
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// Queues that end, stay away, or cannot be what they are said to be: nothing waits for them for ever.
extension Checked {
  @Suite(.enabled(if: QueueKind.hasServer, "redis-server is not installed"), .serialized)
  struct QueueEndFaults {
    /// The error of a map that would take a minute, of which something is done to after its first output.
    private func failure(
      _ backend: WorkerPool.Backend, _ heard: Heard = Heard(), _ harm: () async throws -> Void
    ) async throws -> WorkerPoolError? {
      try await withWorkerPool(backend, logger: heard.logger()) { pool in
        await #expect(throws: WorkerPoolError.self) {
          var count = 0
          for try await _ in pool.outputs(
            of: 0..<6_000, with: Slow(pause: .milliseconds(20)), options: MapOptions(chunking: .size(1)))
          {
            count += 1
            if count == 1 { try await harm() }
          }
        }
      }
    }

    @Test("U101: when the server of one's own is killed, the map ends at once and says so, and no agent is launched")
    func managed() async throws {
      let heard = Heard()
      let clock = ContinuousClock()
      let killed = Lock(clock.now)
      let error = try await failure(
        .cluster(engine: .managed, launch: .local(agents: 2), lease: .seconds(2)), heard
      ) {
        let process = try #require(child(named: "redis-server"))
        #expect(kill(process, SIGKILL) == 0)
        killed.withLock { $0 = clock.now }
      }
      #expect(clock.now - killed.withLock { $0 } < .seconds(10))
      #expect(says(error, "died of signal 9"), "\(String(describing: error))")
      #expect(heard.messages.count { $0.hasPrefix("the cluster cannot go on") } == 1, "\(heard.messages)")
      #expect(!heard.messages.contains { $0.contains("the other slots go on") })
    }

    @Test(
      "U101: a server that stays away for longer than the patience ends the map, and the next one is tried for again")
    func staysAway() async throws {
      let server = try ManagedServer()
      let backend = WorkerPool.Backend.cluster(
        engine: .redis(server.address.url), launch: .local(agents: 2), lease: .milliseconds(500), patience: .seconds(1))
      let heard = Heard()
      let second = Lock<ManagedServer?>(nil)
      try await withWorkerPool(backend, logger: heard.logger()) { pool in
        let error = await #expect(throws: WorkerPoolError.self) {
          for try await item in pool.outputs(
            of: 0..<6_000, with: Slow(pause: .milliseconds(20)), options: MapOptions(chunking: .size(1)))
          where item == 0 {
            await server.end()
          }
        }
        #expect(error?.kind == .cannotStart && says(error, "cannot be reached"), "\(String(describing: error))")
        #expect(heard.messages.count { $0.hasPrefix("the cluster cannot go on") } == 1, "\(heard.messages)")
        let again = try ManagedServer(port: server.address.port, password: server.address.password)
        second.withLock { $0 = again }
        let squares = try await pool.map(0..<20, with: Square())
        #expect(squares == (0..<20).map { $0 * $0 })
      }
      await second.withLock { $0 }?.end()
    }

    @Test("U101: agents that end while the queue is away are launched again when it is back, not before")
    func launches() async throws {
      let server = try ManagedServer()
      let launcher = ProcessLauncher([
        ProcessLauncher.Place(
          name: "here", arguments: ["/bin/sleep", "60"], settings: AgentSettings(url: server.address.url, job: "x"))
      ])
      let heard = Heard()
      try await launcher.launch(logger: heard.logger())
      let first = try #require(child(named: "sleep"))
      kill(first, SIGKILL)
      while !heard.messages.contains(where: { $0.contains("an agent died of signal 9") }) { await Task.yield() }
      #expect(child(named: "sleep") == nil && !launcher.isExhausted)
      // It has ended soon, so after a moment.
      while child(named: "sleep") == nil {
        launcher.replace(logger: heard.logger())
        try await Task.sleep(for: .milliseconds(5))
      }
      let next = try #require(child(named: "sleep"))
      #expect(next != first)
      kill(next, SIGKILL)
      await launcher.end([])
      #expect(launcher.isExhausted)
      await server.end()
    }

    @Test("U104: a server of one's own ends with the program, however that ends, and nothing stands between them")
    func bound() async throws {
      let server = try ManagedServer()
      let process = try #require(child(named: "redis-server"))
      #expect(parent(of: process) == getpid())
      // The system's own mark, which no program in between could pass on.
      #expect(child(named: "sh") == nil)
      await server.end()
      #expect(kill(process, 0) != 0)
    }

    @Test("U104: what is bound to a thread is killed when that is gone")
    func boundToThread() async throws {
      let found = Lock<(code: Int32, process: pid_t)?>(nil)
      let bell = TaskBell()
      try startThread("short") {
        var process: pid_t = 0
        let code = TetheredProcess.withPointers(["sleep", "60"]) { arguments in
          millrace_bound_spawn(arguments[0]!, arguments, environ, nil, [0, 1, 2], &process)
        }
        found.withLock { $0 = (code, process) }
        bell.ring()
      }
      await bell.waitForRing()
      let (code, process) = try #require(found.withLock { $0 })
      #expect(code == 0)
      var status: Int32 = 0
      #expect(waitpid(process, &status, 0) == process && status & 0x7f == SIGKILL)
      var none: pid_t = 0
      let failure = TetheredProcess.withPointers(["no-such-program"]) { arguments in
        millrace_bound_spawn(arguments[0]!, arguments, environ, nil, [0, 1, 2], &none)
      }
      #expect(failure == ENOENT && none == 0)
    }

    @Test("U106: a queue for which nobody works is no queue that cannot be reached")
    func noAgent() async throws {
      let server = try ManagedServer()
      let backend = WorkerPool.Backend.cluster(
        engine: .redis(server.address.url), launch: .command(["/bin/sh", "-c", "cat >/dev/null"]), lease: .seconds(1),
        patience: .milliseconds(500))
      let error = await #expect(throws: WorkerPoolError.self) {
        try await withWorkerPool(backend) { try await $0.map([1], with: Square()) }
      }
      #expect(says(error, "no agent has come within") && !says(error, "cannot be reached"))
      await server.end()
    }

    @Test("U106: agents that others start may come as late as they like; that it waits for them is said once")
    func late() async throws {
      let server = try ManagedServer()
      let heard = Heard()
      let backend = WorkerPool.Backend.cluster(
        engine: .redis(server.address.url, job: "late"), launch: .external, width: 2, lease: .seconds(2),
        patience: .milliseconds(100))
      try await withWorkerPool(backend, logger: heard.logger()) { pool in
        let map = Task { try await pool.map([2, 3], with: Square()) }
        while !heard.messages.contains(where: { $0.contains("no agent") }) {
          try await Task.sleep(for: .milliseconds(10))
        }
        var settings = AgentSettings(url: server.address.url, job: "late")
        settings.isTethered = true
        let ended = TaskBell()
        let agent = try TetheredProcess(
          ["/proc/self/exe"], adding: ["\(AgentSettings.variable)=stdin"], text: settings.text
        ) { _ in ended.ring() }
        #expect(try await map.value == [4, 9])
        #expect(heard.messages.count { $0.contains("no agent") } == 1, "\(heard.messages)")
        agent.letGo()
        await ended.waitForRing()
      }
      await server.end()
    }

    @Test("U107: what keeps a cluster from going on is said once, whatever its width")
    func once() async throws {
      let server = try ManagedServer(more: ["maxmemory-policy allkeys-lru"])
      let heard = Heard()
      await #expect(throws: WorkerPoolError.self) {
        try await withWorkerPool(
          .cluster(engine: .redis(server.address.url), launch: .local(agents: 1), width: 16), logger: heard.logger()
        ) { pool in try await pool.map(0..<100, with: Square(), options: MapOptions(chunking: .size(1))) }
      }
      #expect(heard.messages.count == 1, "\(heard.messages)")
      await server.end()
    }

    @Test(
      "U109: a server that speaks something else is refused at once",
      arguments: ["HTTP/1.1 400 Bad\n", "SSH-2.0-x\n", "<html>"])
    func otherServer(_ greeting: String) async throws {
      let other = try OtherServer(greeting)
      let clock = ContinuousClock()
      let begun = clock.now
      let error = await #expect(throws: WorkerPoolError.self) {
        try await withWorkerPool(
          .cluster(engine: .redis("redis://127.0.0.1:\(other.port)"), launch: .external, width: 4)
        ) { try await $0.map([1], with: Square()) }
      }
      #expect(says(error, "something else than Redis"), "\(String(describing: error))")
      #expect(clock.now - begun < .seconds(5))
      other.end()
    }
  }
}

/// Says something to whoever comes, and hangs up.
private final class OtherServer: Sendable {
  let port: Int
  private let socket: SharedDescriptor

  init(_ greeting: String) throws {
    let socket = SharedDescriptor(owning: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    self.socket = socket
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { place in
      place.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
        bind(socket.rawValue, place, length) == 0 && listen(socket.rawValue, 8) == 0
          ? getsockname(socket.rawValue, place, &length) : -1
      }
    }
    guard code == 0 else { throw SystemError("bind", errno) }
    port = Int(UInt16(bigEndian: address.sin_port))
    try startThread("other-server") {
      while true {
        let guest = accept(socket.rawValue, nil, nil)
        if guest < 0 { return }
        _ = send(guest, greeting, greeting.utf8.count, Int32(MSG_NOSIGNAL))
        close(guest)
      }
    }
  }

  /// Wakes the thread out of its wait.
  func end() { _ = shutdown(socket.rawValue, Int32(SHUT_RDWR)) }
}

/// A child of this process whose program is called so.
func child(named name: String) -> Int32? {
  guard let folder = opendir("/proc") else { return nil }
  defer { closedir(folder) }
  while let entry = readdir(folder) {
    let text = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    guard let id = Int32(text), parent(of: id) == getpid(),
      let stat = try? readFile("/proc/\(id)/stat"), stat.contains("(\(name))"), !stat.contains(") Z ")
    else { continue }
    return id
  }
  return nil
}
#endif
