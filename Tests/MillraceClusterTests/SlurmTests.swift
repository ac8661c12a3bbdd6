#if Cluster
import Logging
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// Agents that a real Slurm starts, on two nodes.
extension Checked {
  @Suite(
    .enabled(
      if: QueueKind.hasServer && SlurmLab.isHere,
      "redis-server, slurmctld, slurmd or munge is not installed, or this is not root in a place that may have namespaces"
    ),
    .serialized)
  struct SlurmTests {
    private func backend(
      _ lab: SlurmLab, _ server: ManagedServer, agents: Int = 2, slots: Int = 2, folder: String? = nil,
      options: [String] = []
    ) -> WorkerPool.Backend {
      .cluster(
        engine: .redis(server.address.url, job: "night"),
        // What the tasks write would lie in the tests' folder.
        launch: .slurm(
          agents: agents, slots: slots, folder: folder ?? lab.folder,
          options: ["--output=\(lab.folder)/%A_%a.out"] + options),
        lease: .seconds(5))
    }

    private func expect(_ error: WorkerPoolError?, says words: String..., at place: SourceLocation = #_sourceLocation) {
      let text = error.map { "\($0) \($0.underlying.map { "\($0)" } ?? "")" } ?? "nothing"
      for part in words { #expect(text.contains(part), sourceLocation: place) }
    }

    /// Nothing of the pool's is left in Slurm, and no file with a password.
    private func expectNothing(in lab: SlurmLab) async throws {
      try await lab.waitUntilEmpty()
      let (agents, files) = (try lab.agents(), try Files.output(of: "ls '\(lab.folder)'/*.agent 2>/dev/null"))
      #expect(agents == "" && files == "")
    }

    @Test(
      "U355: agents run on both nodes, each item runs once, and the pool ends with their tear-downs and without a job")
    func map() async throws {
      try await withSlurm { lab, server in
        let places = try await withWorkerPool(backend(lab, server)) { pool in
          try await pool.map(0..<200, with: Node(folder: lab.folder, nodes: ["one", "two"]))
        }
        #expect(Set(places) == ["one", "two"])
        // Each item has left a line.
        let lines = try readFile("\(lab.folder)/items").split(separator: "\n").compactMap { Int($0) }
        #expect(lines.sorted() == Array(0..<200))
        // Those who ran it have torn down, which they do before the signal of Slurm's.
        let torn = try readFile("\(lab.folder)/torn").split(separator: "\n")
        #expect(torn.count == 4)
        try await expectNothing(in: lab)
      }
    }

    @Test("U350: what sbatch says is in the error")
    func refusal() async throws {
      try await withSlurm { lab, server in
        for (options, words) in [
          (["--partition=nowhere"], "invalid partition specified: nowhere"), (["--nonsense"], "--nonsense"),
        ] {
          let error = await #expect(throws: WorkerPoolError.self) {
            try await withWorkerPool(backend(lab, server, options: options)) { try await $0.map([1], with: Square()) }
          }
          expect(error, says: words, "sbatch exited with code")
        }
        try await expectNothing(in: lab)
      }
    }

    @Test("U351: a job that Slurm has no more ends the map that has no other agents, and the next map has another job")
    func cancelled() async throws {
      try await withSlurm { lab, server in
        let pool = try WorkerPool(backend(lab, server, agents: 1))
        // One that is held does not begin: it is cancelled while it waits, and while it runs.
        for isHeld in [false, true] {
          let mark = "\(lab.folder)/begun-\(isHeld)"
          if isHeld {
            _ = try lab.output(of: "scontrol update nodename=one,two state=drain reason=test")
          }
          // Slurm's signal is for all processes of a task, and a worker may die of it before its agent hears.
          let map = Task { try await pool.map([mark], with: Waiting(), options: MapOptions(retry: .upTo(3))) }
          if isHeld {
            while try lab.output(of: "squeue --noheader --states=PENDING").isEmpty {
              try await Task.sleep(for: .milliseconds(20))
            }
          } else {
            while access("\(mark).begun", F_OK) != 0 { try await Task.sleep(for: .milliseconds(20)) }
          }
          _ = try lab.output(of: "scancel \(try lab.job())")
          let error = await #expect(throws: WorkerPoolError.self) { _ = try await map.value }
          expect(error, says: "none will come: Slurm's job", "CANCELLED")
          try await lab.waitUntilEmpty()
        }
        _ = try lab.output(of: "scontrol update nodename=one,two state=resume")
        let squares = try await pool.map([7], with: Square())
        #expect(squares == [49])
        try await pool.terminate()
        try await expectNothing(in: lab)
      }
    }

    @Test("U351: so does one whose tasks cannot run, and how they have ended is said")
    func failed() async throws {
      try await withSlurm { lab, server in
        // The executable is not what it was.
        mkdir("\(lab.folder)/programs", 0o700)
        try Files.write(
          "\(lab.folder)/programs/sbatch", "#!/bin/sh\nsed 's/ exec .*/ exit 7/' | /usr/bin/sbatch \"$@\"\n",
          mode: 0o700)
        let error = await #expect(throws: WorkerPoolError.self) {
          try await withWorkerPool(backend(lab, server)) { try await $0.map([1], with: Square()) }
        }
        expect(error, says: "2 FAILED with code 7")
        try await expectNothing(in: lab)
      }
    }

    @Test("a task that is cancelled while it runs costs nothing: the other has the rest")
    func cancelledTask() async throws {
      try await withSlurm { lab, server in
        let places = try await withWorkerPool(backend(lab, server)) { pool in
          // As above.
          let options = MapOptions(retry: .upTo(3))
          let map = Task {
            try await pool.map(0..<400, with: Node(folder: lab.folder, nodes: ["one", "two"]), options: options)
          }
          while (try? readFile("\(lab.folder)/items").split(separator: "\n").count) ?? 0 < 40 {
            try await Task.sleep(for: .milliseconds(10))
          }
          _ = try lab.output(of: "scancel \(try lab.job())_1")
          return try await map.value
        }
        #expect(places.count == 400 && Set(places) == ["one", "two"])
        try await expectNothing(in: lab)
      }
    }

    @Test("a task that Slurm tells to go, as before its time is over, gives back what it has")
    func toldToGo() async throws {
      try await withSlurm { lab, server in
        let outcomes = try await withWorkerPool(backend(lab, server)) { pool in
          let map = Task {
            try await pool.map(0..<400, with: Node(folder: lab.folder, nodes: ["one", "two"]))
          }
          while (try? readFile("\(lab.folder)/items").split(separator: "\n").count) ?? 0 < 40 {
            try await Task.sleep(for: .milliseconds(10))
          }
          _ = try lab.output(of: "scancel --batch --signal=TERM \(try lab.job())_1")
          return try await map.value
        }
        #expect(outcomes.count == 400 && Set(outcomes) == ["one", "two"])
        try await expectNothing(in: lab)
      }
    }

    @Test("U352: a pool that ends while its job is being submitted leaves none")
    func endWhileSubmitting() async throws {
      try await withSlurm { lab, server in
        mkdir("\(lab.folder)/programs", 0o700)
        // Slurm has taken it, and the answer is on its way for longer than the queue's farewell.
        try Files.write(
          "\(lab.folder)/programs/sbatch",
          "#!/bin/sh\nanswer=$(/usr/bin/sbatch \"$@\"); >'\(lab.folder)/taken'; sleep 3; echo \"$answer\"\n",
          mode: 0o700)
        // They would end by themselves, were they to begin.
        _ = try lab.output(of: "scontrol update nodename=one,two state=drain reason=test")
        let pool = try WorkerPool(backend(lab, server))
        let map = Task { try await pool.map([1], with: Square()) }
        while access("\(lab.folder)/taken", F_OK) != 0 { try await Task.sleep(for: .milliseconds(20)) }
        try await pool.terminate()
        _ = await map.result
        let queue = try lab.output(of: "squeue --noheader")
        #expect(queue == "")
        try await expectNothing(in: lab)
      }
    }

    @Test("U353: options are whole words, and come before the user's variables")
    func options() async throws {
      try await withSlurm { lab, server in
        setenv("SBATCH_JOB_NAME", "another", 1)
        setenv("SBATCH_PARTITION", "nowhere", 1)
        defer {
          unsetenv("SBATCH_JOB_NAME")
          unsetenv("SBATCH_PARTITION")
        }
        let options = ["--partition=lab", "--comment=two words; and 'quotes'"]
        try await withWorkerPool(backend(lab, server, agents: 1, options: options)) { pool in
          let squares = try await pool.map([3], with: Square())
          #expect(squares == [9])
          let job = try lab.output(of: "scontrol show job \(try lab.job())")
          #expect(job.contains("JobName=millrace-night") && job.contains("Comment=two words; and 'quotes'"), "\(job)")
        }
        try await expectNothing(in: lab)
      }
    }

    @Test("U354: a folder that is named from the current one is found by tasks that begin elsewhere")
    func relativeFolder() async throws {
      try await withSlurm { lab, server in
        let here = try Files.output(of: "pwd").filter { !$0.isNewline }
        let relative = here.split(separator: "/").map { _ in ".." }.joined(separator: "/") + lab.folder
        let pool = backend(lab, server, agents: 1, folder: relative, options: ["--chdir=/"])
        let squares = try await withWorkerPool(pool) { try await $0.map([3], with: Square()) }
        #expect(squares == [9])
        try await expectNothing(in: lab)
      }
    }
  }
}

/// Says which node it runs on, and notes what it runs; it is not done before there are workers on all of these.
private struct Node: Worker {
  var folder: String
  var nodes: [String]

  func setUp(_ context: WorkerContext) async throws -> String {
    var bytes = [CChar](repeating: 0, count: 256)
    gethostname(&bytes, bytes.count - 1)
    let name = bytes.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    try add("here", to: "\(folder)/at-\(name)")
    return name
  }

  func process(_ item: Int, state name: inout String) async throws -> String {
    while nodes.contains(where: { access("\(folder)/at-\($0)", F_OK) != 0 }) {
      try await Task.sleep(for: .milliseconds(5))
    }
    try await Task.sleep(for: .milliseconds(5))
    try add("\(item)", to: "\(folder)/items")
    return name
  }

  func tearDown(_ name: String) throws { try add(name, to: "\(folder)/torn") }

  private func add(_ line: String, to name: String) throws {
    let file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw SystemError("open \(name)", errno) }
    defer { close(file) }
    let bytes = Array("\(line)\n".utf8)
    _ = write(file, bytes, bytes.count)
  }
}
#endif
