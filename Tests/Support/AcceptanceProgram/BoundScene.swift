import CMillrace
import Millrace
import MillraceIPC
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// How many CPUs the calling thread may run on.
func cpusHere() -> Int {
  var cpus = [Int32](repeating: -1, count: 1_024)
  return Int(millrace_affinity_get(0, &cpus, cpus.count))
}

/// The same of two threads that work for a parallel call, the caller and another: the larger one.
func cpusOfCrew() -> Int {
  let met = Atomic(0)
  let found = (0..<2).parallelMap(width: 2, grain: 1) { _ in
    met.add(1, ordering: .sequentiallyConsistent)
    while met.load(ordering: .sequentiallyConsistent) < 2 { sched_yield() }
    return cpusHere()
  }
  return found.max() ?? 0
}

/// How many CPUs the worker may run on.
struct CPUsOfWorker: StatelessWorker {
  func process(_ item: Int) -> Int { cpusHere() }
}

extension AcceptanceProgram {
  /// A program of which the first call comes from a thread that is bound to one CPU: "usable", then what it finds.
  static func bound(_ backend: WorkerPool.Backend) async throws {
    let thread = LaneThread()
    try startThread("bound", cpus: [0]) { thread.run() }
    try await Task(executorPreference: thread) {
      say("caller \(cpusHere())")
      say("usable \(WorkerPool.usableCPUs)")
      say("crew \(cpusOfCrew())")
      try await withWorkerPool(backend) { pool async throws in
        let options = MapOptions(chunking: .size(1), dispatch: .roundRobin)
        say("workers \(try await pool.map(0..<4, with: CPUsOfWorker(), options: options).min() ?? 0)")
        say("closures \(try await pool.map(0..<4, options: options) { _ in cpusHere() }.min() ?? 0)")
      }
    }.value
    thread.end()
  }

  /// A program of which another part handles SIGTERM, before `withShutdownSignals` or behind its back.
  static func handled(_ backend: WorkerPool.Backend, late: Bool) async throws {
    let handle = {
      _ = signal(SIGTERM) { _ in
        AcceptanceProgram.say("heard elsewhere")
        AcceptanceProgram.heard.store(true, ordering: .sequentiallyConsistent)
      }
    }
    try await withWorkerPool(backend) { pool in
      if !late { handle() }
      try await withShutdownSignals(ending: pool) {
        if late { handle() }
        let outputs = pool.outputs(
          of: sequence(first: 0) { $0 + 1 }, with: Brief(), options: MapOptions(chunking: .size(1)))
        for try await output in outputs {
          if output == 10 { say("running") }
          if late, output == 200 { break }
        }
      }
    }
    // Who came after us keeps what is theirs.
    if late {
      kill(getpid(), SIGTERM)
      while !heard.load(ordering: .sequentiallyConsistent) { await Task.yield() }
    }
    say("over")
  }

  static let heard = Atomic(false)
}
