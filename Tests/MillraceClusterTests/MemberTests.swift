#if Cluster
import Logging
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// The first that runs an item waits until it is given up; whoever has it next is done at once. Says who begins it.
private struct Holds: StatelessWorker, Codable {
  var folder: String

  func process(_ item: Int) async throws -> Int32 {
    let agent = agentProcess()
    guard item == 0 else { return agent }
    let mark = open("\(folder)/held", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if mark >= 0 {
      close(mark)
      try writeWhole("\(agent)", to: "\(folder)/holder")
      try await Task.sleep(for: .seconds(3_600))
    }
    return agent
  }
}

/// So that whoever waits for it finds all of it.
private func writeWhole(_ text: String, to name: String) throws {
  try Files.write("\(name).new", text, mode: 0o600)
  rename("\(name).new", name)
}

/// Agents of an external cluster that a test starts and ends one by one.
private final class Agents {
  private var running: [TetheredProcess] = []
  private let settings: String
  private let gone = TaskBell()
  private let ends = Lock(0)

  init(_ server: ManagedServer, job: String, lease: Duration) {
    var settings = AgentSettings(url: server.address.url, job: job)
    settings.isTethered = true
    settings.leaseMilliseconds = Int(lease.nanoseconds / 1_000_000)
    self.settings = settings.text
  }

  func start() throws -> Int32 {
    let agent = try TetheredProcess(
      ["/proc/self/exe"], adding: ["\(AgentSettings.variable)=stdin"], text: settings
    ) { [ends, gone] _ in
      ends.withLock { $0 += 1 }
      gone.ring()
    }
    running.append(agent)
    return agent.id
  }

  func end() async {
    for agent in running { agent.letGo() }
    while ends.withLock({ $0 }) < running.count { await gone.waitForRing() }
  }
}

extension Checked {
  /// Agents come and go while a map runs: what the pool tells of it.
  @Suite(
    .enabled(if: QueueKind.hasServer, "redis-server is not installed"), .serialized, .timeLimit(.minutes(1)))
  struct MemberTests {
    private func withAgents(
      lease: Duration, _ body: (WorkerPool, Agents) async throws -> Void
    ) async throws {
      let server = try ManagedServer()
      let agents = Agents(server, job: "members", lease: lease)
      let result: Result<Void, any Error>
      do {
        let backend = WorkerPool.Backend.cluster(
          engine: .redis(server.address.url, job: "members"), launch: .external, width: 4, lease: lease)
        result = .success(try await withWorkerPool(backend) { try await body($0, agents) })
      } catch { result = .failure(error) }
      await agents.end()
      await server.end()
      try result.get()
    }

    /// The next event about a member.
    private func next(_ events: inout PoolEvents.Iterator) async throws -> DispatchEvent {
      while let event = await events.next() {
        switch event.event {
        case .memberJoined, .memberLeft: return event.event
        default: break
        }
      }
      throw CancellationError()
    }

    @Test("agents that join, leave and are lost in mid-run are events, and members of the snapshot")
    func events() async throws {
      try await withAgents(lease: .milliseconds(800)) { pool, agents in
        let (snapshot, subscription) = pool.observe(buffer: 100_000)
        #expect(snapshot.members.isEmpty)
        var events = pool.events(buffer: 100_000).makeAsyncIterator()
        let first = try agents.start()
        let isOver = Lock(false)
        // Longer than all that follows.
        let map = Task {
          var indices: [Int] = []
          for try await place in pool.outputs(
            of: 0..<100_000, with: SlowPlaces(), order: .completion, options: MapOptions(chunking: .size(1)))
          {
            indices.append(place.index)
            if isOver.withLock({ $0 }) { break }
          }
          return indices
        }
        func joins(_ process: Int32) async throws -> PoolMember? {
          let event = try await next(&events)
          guard case .memberJoined(let member) = event else {
            Issue.record("\(event)")
            return nil
          }
          #expect(member.process == Int(process) && member.slots == 1 && !member.host.isEmpty)
          #expect(pool.snapshot.members[member.name] == member)
          return member
        }
        func leaves(_ gone: PoolMember?, isLost: Bool) async throws {
          let event = try await next(&events)
          guard case .memberLeft(let member, isLost) = event, member == gone else {
            Issue.record("\(event)")
            return
          }
          #expect(pool.snapshot.members[member.name] == nil)
        }
        let one = try await joins(first)
        let second = try agents.start()
        let two = try await joins(second)
        #expect(pool.snapshot.members.count == 2)
        kill(first, SIGTERM)
        try await leaves(one, isLost: false)
        kill(second, SIGKILL)
        try await leaves(two, isLost: true)
        let third = try agents.start()
        _ = try await joins(third)
        isOver.withLock { $0 = true }
        let indices = try await map.value
        #expect(Set(indices).count == indices.count)
        // Who has all events has the same picture.
        var picture = snapshot
        for event in subscription.buffer.take().elements { picture.apply(event.event, at: event.time) }
        #expect(picture.members.values.map(\.process) == [Int(third)])
      }
    }

    @Test("what an agent has that is told to go is another's at once, however long its lease")
    func told() async throws {
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      try await withAgents(lease: .seconds(600)) { pool, agents in
        let both = [try agents.start(), try agents.start()]
        let map = Task {
          try await pool.map(0..<20, with: Holds(folder: folder), options: MapOptions(chunking: .size(1)))
        }
        while access("\(folder)/holder", F_OK) != 0 { try await Task.sleep(for: .milliseconds(5)) }
        let holder = try #require(Int32(try readFile("\(folder)/holder")))
        #expect(both.contains(holder))
        let begun = ContinuousClock.now
        kill(holder, SIGTERM)
        let found = try await map.value
        #expect(found.count == 20 && found[0] == both.first { $0 != holder })
        #expect(ContinuousClock.now - begun < .seconds(20))
      }
    }
  }
}
#endif
