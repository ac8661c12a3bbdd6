import Logging
package import Millrace
import MillraceIPC

/// The slots of many machines: a queue, and agents that work for it.
struct ClusterBackend: BackendKind {
  /// The engine of one pool, and what launches its agents.
  struct Parts {
    var engine: any WorkEngine
    var launcher: any AgentLauncher
  }

  let text: String
  var options = ClusterDriver.Options()
  let make: @Sendable (Logger) throws -> Parts

  func description(width: String) -> String { text }
  var abilities: BackendAbilities { [.survivesCrashes, .usesDispatch, .sharesWorkers] }

  var limits: DispatchLimits {
    var limits = DispatchLimits()
    // Whoever waits here waits for agents, and knows how long.
    limits.startTime = nil
    limits.starts.waitsForOthers = true
    limits.starts.isForRoom = false
    // What keeps one slot from its agents keeps all, and the driver says it.
    limits.starts.isTold = false
    // When the cluster has gone its items have not failed: they may be run yet.
    limits.starts.failsItems = false
    // A round trip to the queue, and the agent's own to its worker, are a small part of this.
    limits.chunkTime = 20_000_000
    // Or not, where the queue is far away.
    limits.weighsSending = true
    return limits
  }

  func makeSlots(_ host: any SlotHost, width: Int) throws -> any Slots {
    let parts = try make(host.logger)
    return ClusterSlots(host, ClusterDriver(parts.engine, parts.launcher, options, for: host))
  }
}

extension WorkerPool.Backend {
  /// A cluster of an engine and agents that are made by hand: for tests.
  package static func cluster(
    _ engine: any WorkEngine, _ launcher: any AgentLauncher, width: Int, patience: Duration = .seconds(10)
  ) -> WorkerPool.Backend {
    var backend = ClusterBackend(text: "cluster(\(width))") { _ in
      ClusterBackend.Parts(engine: engine, launcher: launcher)
    }
    backend.options.patience = patience
    backend.options.hasName = true
    return WorkerPool.Backend(backend, width: width)
  }

  /// A cluster in this program: each pool has a queue of its own in memory, and agents beside it, with as many worker processes in all
  /// as the pool is wide. For tests.
  package static func clusterHere(agents: Int, slots: Int) -> WorkerPool.Backend {
    let backend = ClusterBackend(text: "cluster(\(agents), \(slots))") { _ in
      // What agents log is not in the program's log.
      let logger = Logger(label: "millrace.agent") { _ in SwiftLogNoOpLogHandler() }
      let server = InMemoryEngine.Server()
      let lease = Duration.seconds(10)
      let launcher = HereLauncher(agents) {
        var options = Agent.Options()
        options.slots = slots
        return Agent(InMemoryEngine(server, lease: lease), options, logger: logger)
      }
      return ClusterBackend.Parts(engine: InMemoryEngine(server, lease: lease), launcher: launcher)
    }
    return WorkerPool.Backend(backend, width: agents * slots)
  }
}
