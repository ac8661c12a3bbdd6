#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// What batch systems are told: texts are compared, and the script is run by a shell. ``SlurmTests`` have a real Slurm.
extension Checked {
  @Suite(.serialized) struct BatchTests {
    @Test("a job array, as sbatch gets it, and what squeue says of it")
    func script() throws {
      var job = SlurmJob()
      (job.name, job.agents, job.slots) = ("millrace-night", 3, 8)
      (job.options, job.program) = (["--partition=long", "--time=8:00:00"], "/home/me/it's mine/program")
      job.settingsFile = "/scratch/me/millrace-night.agent"
      #expect(
        job.script == """
          #!/bin/sh
          MILLRACE_AGENT='@/scratch/me/millrace-night.agent' exec '/home/me/it'\\''s mine/program'

          """)
      #expect(
        job.submission == [
          "sbatch", "--parsable", "--job-name=millrace-night", "--array=1-3", "--ntasks=1", "--cpus-per-task=8",
          "--requeue", "--signal=B:TERM@30", "--open-mode=append", "--partition=long", "--time=8:00:00",
        ])
      #expect(SlurmJob.cancellation("7") == ["scancel", "7"])
      #expect(SlurmJob.cancellation("7", states: "PENDING") == ["scancel", "--state=PENDING", "7"])
      #expect(SlurmJob.number(in: "1234\n") == "1234" && SlurmJob.number(in: "1234;cluster\n") == "1234")
      #expect(SlurmJob.number(in: "a note first\n77\n") == "77")
      for wrong in ["", "\n", "Submitted batch job 7", "-7"] { #expect(SlurmJob.number(in: wrong) == nil) }
      for (output, standing) in [
        ("COMPLETED 0\nRUNNING 0\n", .underWay), ("PENDING 0\n", .underWay), ("SOMETHING_NEW 0\n", .underWay),
        ("FAILED 1792\nFAILED 1792\nTIMEOUT 15\n", .over("2 FAILED with code 7, 1 TIMEOUT by signal 15")),
        ("COMPLETED   0   \n", .over("1 COMPLETED")), ("", .over("")),
      ] as [(String, SlurmJob.Standing)] {
        #expect(SlurmJob.standing(true, output, problems: "") == standing)
      }
      #expect(SlurmJob.standing(false, "", problems: "error: Invalid job id specified") == .over(""))
      #expect(SlurmJob.standing(false, "", problems: "Unable to contact slurm controller") == nil)
    }

    @Test("a Job of Kubernetes', as kubectl gets it")
    func yaml() throws {
      let text = try ClusterLaunch.kubernetesJob(
        job: "Night_1", image: "registry:5000/me:x@sha256:12", command: ["/app/it's \"mine\"", "--quiet"],
        secret: "night.agents", agents: 5, slots: 4)
      #expect(
        text == """
          apiVersion: batch/v1
          kind: Job
          metadata:
            name: "millrace-night-1"
          spec:
            parallelism: 5
            backoffLimit: 1000
            template:
              spec:
                restartPolicy: OnFailure
                terminationGracePeriodSeconds: 30
                containers:
                  - name: agent
                    image: "registry:5000/me:x@sha256:12"
                    command: ["/app/it's \\"mine\\"", "--quiet"]
                    env:
                      - name: MILLRACE_AGENT
                        value: "@/etc/millrace/agent"
                    resources:
                      requests:
                        cpu: "4"
                    volumeMounts:
                      - name: settings
                        mountPath: /etc/millrace
                        readOnly: true
                volumes:
                  - name: settings
                    secret:
                      secretName: "night.agents"
                      defaultMode: 256

          """)
      #expect(KubernetesJob.name(of: "a.b_...") == "millrace-a-b" && KubernetesJob.name(of: "...") == "millrace")
    }

    @Test("U341: what Kubernetes, a shell or an agent would refuse, or take for something else, is refused by name")
    func wrongJobs() throws {
      func refusal(
        job: String = "night", image: String = "me", command: [String] = ["x"], secret: String = "s", agents: Int = 1,
        slots: Int = 1
      ) -> String {
        do {
          _ = try ClusterLaunch.kubernetesJob(
            job: job, image: image, command: command, secret: secret, agents: agents, slots: slots)
          return ""
        } catch { return "\(error.name) \(error.allowed)" }
      }
      #expect(refusal() == "" && refusal(job: String(repeating: "a", count: 54)) == "")
      for job in ["my night", "", "é", "a\nb", "a\"b"] {
        #expect(refusal(job: job) == "job letters, digits, '-', '_' and '.'")
      }
      #expect(refusal(job: String(repeating: "a", count: 55)).hasPrefix("job 54 characters"))
      for image in ["", "me:\"x\"", "a b", ":x", "me\n", "é"] {
        #expect(refusal(image: image).hasPrefix("image an image as"))
      }
      for command in [[], [""], ["x", "a\0b"]] { #expect(refusal(command: command).hasPrefix("command at least")) }
      for secret in ["", "Night", "-a", "a-", "a..b", "a_b", "a b", String(repeating: "a", count: 254)] {
        #expect(refusal(secret: secret).hasPrefix("secret a name of Kubernetes'"), "\(secret)")
      }
      for number in [-1, 0, 4_097, .max] {
        #expect(refusal(agents: number) == "agents 1 to 4096" && refusal(slots: number) == "slots 1 to 4096")
      }
    }

    @Test("U341: the line that starts an agent says to a shell what it says, or is refused")
    func line() throws {
      let line = try ClusterLaunch.agentCommand(
        url: "rediss://h:1/0?ca=/it's%20mine", job: "night", slots: 2, program: "/usr/bin/env")
      let said = try Files.output(of: "\(line) | grep ^MILLRACE_AGENT=")
      #expect(said == "MILLRACE_AGENT=rediss://h:1/0?ca=/it's%20mine&job=night&slots=2\n")
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      try Files.write("\(folder)/it's a $(program)", "#!/bin/sh\necho it ran\n", mode: 0o700)
      let spaced = try ClusterLaunch.agentCommand(
        url: "redis://h", job: "night", slots: 1, program: "\(folder)/it's a $(program)")
      #expect(try Files.output(of: spaced) == "it ran\n")
      func refusal(_ url: String = "redis://h", _ job: String = "night", _ slots: Int = 1) -> InvalidOption? {
        do {
          _ = try ClusterLaunch.agentCommand(url: url, job: job, slots: slots)
          return nil
        } catch { return error }
      }
      #expect(refusal() == nil && refusal("redis://h", "night", -1)?.name == "slots")
      #expect(refusal("redis://h", "my night")?.name == "job" && refusal("redis://h", "a&slots=9")?.name == "job")
      let url = refusal("http://u:secret@h")
      #expect(url?.name == "url" && url?.allowed.contains("redis://host:port") == true)
      #expect(url.map { "\($0)".contains("secret") } == false)
    }

    @Test("wrong options of Slurm's are refused by name")
    func options() {
      func refusal(_ launch: ClusterLaunch) -> String? {
        do {
          _ = try WorkerPool(.cluster(engine: .managed, launch: launch))
          return nil
        } catch { return (error as? InvalidOption)?.name ?? "\(error)" }
      }
      #expect(refusal(.slurm(agents: 0)) == "agents")
      #expect(refusal(.slurm(agents: 1, slots: 0)) == "slots")
      #expect(refusal(.slurm(agents: 1, options: ["partition"])) == "options")
      #expect(refusal(.slurm(agents: 1, options: ["--time=1\nrm -rf /"])) == "options")
      #expect(refusal(.ssh(copyingTo: [])) == "hosts")
      #expect("\(ClusterLaunch.slurm(agents: 2, slots: 3))" == ".slurm(agents: 2, slots: 3)")
      #expect("\(ClusterLaunch.ssh(copyingTo: [("h", 2)]))" == ".ssh(copyingTo: [(\"h\", 2)])")
    }

    @Test(
      "the script starts an agent, wherever a shell runs it, and is taken back with the pool",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"))
    func run() async throws {
      // In the place of Slurm's: one that runs the script here, and writes down what it was asked.
      let programs = try FakePrograms { folder in
        [
          "sbatch": """
          echo "sbatch $@" >>'\(folder)/asked'
          cat >'\(folder)/script'
          ls -l '\(folder)' | grep agent | cut -c 1-10 >>'\(folder)/asked'
          setsid sh '\(folder)/script' </dev/null >/dev/null 2>&1 &
          echo $! >'\(folder)/task'
          echo '4711;here'

          """,
          "scancel": "echo \"scancel $@\" >>'\(folder)/asked'\n",
          "squeue": Self.squeue("\(folder)/task"),
        ]
      }
      defer { programs.remove() }
      let folder = programs.folder
      let server = try ManagedServer()
      let backend = WorkerPool.Backend.cluster(
        engine: .redis(server.address.url, job: "night"), launch: .slurm(agents: 1, slots: 2, folder: folder),
        lease: .seconds(5))
      let squares = try await withWorkerPool(backend) { try await $0.map(0..<50, with: Square()) }
      #expect(squares == (0..<50).map { $0 * $0 })
      let asked = try readFile("\(folder)/asked").split(separator: "\n")
      #expect(asked.count == 3 && asked[0].hasPrefix("sbatch --parsable --job-name=millrace-night --array=1-1 "))
      // It has ended by itself.
      #expect(asked.dropFirst() == ["-rw-------", "scancel --state=PENDING 4711"])
      let script = try readFile("\(folder)/script")
      #expect(!script.contains(server.address.password ?? "-") && script.contains("\(folder)/millrace-night-"))
      #expect(try settings(in: folder).isEmpty)
      await server.end()
    }

    /// In the place of Slurm's: the one task runs as long as the process does whose number is in the file.
    private static func squeue(_ file: String) -> String {
      "readlink /proc/$(cat '\(file)')/exe >'\(file).exe' && echo RUNNING 0 || echo COMPLETED 0\n"
    }

    /// The files of agents' settings.
    private func settings(in folder: String) throws -> [Substring] {
      try Files.output(of: "ls '\(folder)'").split(separator: "\n").filter { $0.hasSuffix(".agent") }
    }

    @Test(
      "U207: a job begins though a program was killed that had it, and two programs have settings of their own",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"))
    func twice() async throws {
      let programs = try FakePrograms { folder in
        [
          "sbatch": """
          cat >'\(folder)/script-'$$
          setsid sh '\(folder)/script-'$$ </dev/null >/dev/null 2>&1 &
          echo $! >'\(folder)/task-'$$
          echo $$

          """,
          "scancel": """
          case $1 in --state=*) exit;; esac
          for number; do :; done
          kill $(cat '\(folder)/task-'$number) 2>/dev/null

          """,
          "squeue": """
          f=$(echo "$3" | sed "s|.*=|\(folder)/task-|")
          readlink /proc/$(cat "$f")/exe >'\(folder)/exe' && echo RUNNING 0 || echo COMPLETED 0

          """,
        ]
      }
      defer { programs.remove() }
      let folder = programs.folder
      try Files.write("\(folder)/millrace-night.agent", "of one that was killed", mode: 0o600)
      let server = try ManagedServer()
      func pool() throws -> WorkerPool {
        try WorkerPool(
          .cluster(
            engine: .redis(server.address.url, job: "night"), launch: .slurm(agents: 1, folder: folder),
            lease: .seconds(5)))
      }
      let (first, second) = (try pool(), try pool())
      #expect(try await first.map([2, 3], with: Square()) == [4, 9])
      #expect(try await second.map([3, 4], with: Square()) == [9, 16])
      #expect(try settings(in: folder).count == 3)
      try await first.terminate()
      #expect(try settings(in: folder).count == 2)
      #expect(try await second.map([5], with: Square()) == [25])
      try await second.terminate()
      #expect(try settings(in: folder) == ["millrace-night.agent"])
      await server.end()
    }

    @Test(
      "the executable is brought to a host once, whole or not at all",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"))
    func copying() async throws {
      // One that stays here, and writes down whom it was asked for.
      let programs = try FakePrograms { ["ssh": "echo \"$6\" >>'\($0)/asked'\nexec /bin/sh -c \"$7\"\n"] }
      let folder = programs.folder
      defer {
        Files.remove("\(folder)/millrace")
        programs.remove()
      }
      let copy = "\(folder)/millrace/\(BuildFingerprint.current)"
      setenv("XDG_CACHE_HOME", folder, 1)
      defer { unsetenv("XDG_CACHE_HOME") }
      // The line was cut: nothing of it stays.
      let cut = try Files.output(of: "printf abc | sh -c '\(SSHProgram.copying(4))'; echo $?")
      #expect(cut == "1\n")
      #expect(try Files.output(of: "ls -A '\(folder)/millrace'") == "")
      let server = try ManagedServer()
      var first: ino_t = 0
      for _ in 0..<2 {
        let backend = WorkerPool.Backend.cluster(
          engine: .redis(server.address.url), launch: .ssh(copyingTo: [("one", 2)]), lease: .seconds(5))
        let places = try await withWorkerPool(backend) { try await $0.map(0..<4, with: Executable()) }
        #expect(Set(places) == [copy])
        var status = stat()
        #expect(stat(copy, &status) == 0 && status.st_mode & 0o777 == 0o700)
        if first == 0 { first = status.st_ino }
        #expect(status.st_ino == first)
      }
      // Each time: the question whether it is there, and an agent.
      #expect(try readFile("\(folder)/asked") == "one\none\none\none\n")
      #expect(try Files.output(of: "ls -A '\(folder)/millrace'") == "\(BuildFingerprint.current)\n")
      await server.end()
    }
  }
}

/// Which file runs it.
struct Executable: StatelessWorker {
  func process(_ item: Int) -> String {
    let bytes = [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
      count = max(0, buffer.withMemoryRebound(to: CChar.self) { readlink("/proc/self/exe", $0.baseAddress!, $0.count) })
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
#endif
