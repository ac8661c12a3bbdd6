package import Millrace
import MillraceCluster
import MillraceTesting

/// The backends that the same tests run over.
package enum Backends {
  package static let all = [
    WorkerPool.Backend.serial, .tasks(3), .threads(1), .threads(3), .processes(1), .processes(3), .sockets(2),
  ].runnable

  /// Those that run more than one item at once.
  package static let wide = [WorkerPool.Backend.tasks(3), .threads(3), .processes(3)].runnable

  /// Those whose workers share the test's memory.
  package static let shared = all.able(.sharesMemory)

  /// Those that have workers of their own, apart from the caller.
  package static let apart = all.filter { $0.kind.widths.upperBound > 1 }

  /// All ways to have worker processes: a crash stays in one of them.
  package static let isolating = [WorkerPool.Backend.processes(1), .processes(3), spawning, forking, crowded].runnable

  /// Over a real server, by agents that are programs of their own, where there is a server; the same cases as elsewhere would take a minute.
  package static let remote: [WorkerPool.Backend] = {
    #if Cluster
    guard ManagedServer.isOnPath("redis-server") else { return [] }
    let agents = ClusterLaunch.local(agents: 2, slots: 2)
    return [.cluster(engine: .managed, launch: agents, width: 4, lease: .seconds(5))].runnable
    #else
    return []
    #endif
  }()

  package static let spawning = WorkerPool.Backend.processes(2, WorkerPool.ProcessOptions(start: .spawn))
  package static let forking = WorkerPool.Backend.processes(2, WorkerPool.ProcessOptions(start: .fork))
  package static let crowded = WorkerPool.Backend.processes(4, WorkerPool.ProcessOptions(threadsPerProcess: 2))

  package static let everything = all + [spawning, forking, crowded].runnable

  /// What the conformance suite runs over, in the same choices: a cluster in this program, too. What stands on pools, as pipelines do, is
  /// tried without it, for a case takes some tenths of a second there.
  package enum Conforming {
    package static let all = Backends.all + cluster
    package static let apart = Backends.apart + cluster
    package static let everything = Backends.everything + cluster
    private static let cluster = [WorkerPool.Backend.clusterHere(agents: 2, slots: 2)].runnable
  }
}

/// What tests of backtraces ask for.
package enum Backtraces {
  /// For workers whose backtraces are to say what the frames are.
  ///
  /// `scripts/test` leaves the names out: to find them in the debug information of all tests takes seconds a crash.
  package static let named: [String: String?] = AddressSanitizer.isOn ? [:] : ["SWIFT_BACKTRACE": "symbolicate=full"]
}

extension [WorkerPool.Backend] {
  /// Without those that start processes where the thread sanitizer is.
  package var runnable: [WorkerPool.Backend] { ThreadSanitizer.isOn ? able(.sharesMemory) : self }

  /// Those whose workers can do all of that.
  package func able(_ abilities: BackendAbilities) -> [WorkerPool.Backend] {
    filter { $0.kind.abilities.isSuperset(of: abilities) }
  }

  /// Those whose workers are nothing of that.
  package func without(_ abilities: BackendAbilities) -> [WorkerPool.Backend] {
    filter { $0.kind.abilities.isDisjoint(with: abilities) }
  }
}

extension Sequence<WorkerPool.Backend> {
  /// Each backend with each of some other things.
  package func each<Other>(with others: [Other]) -> [(WorkerPool.Backend, Other)] {
    flatMap { backend in others.map { (backend, $0) } }
  }
}
