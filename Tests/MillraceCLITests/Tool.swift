#if CLI
import Foundation
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// The built command, run as a process.
struct Tool {
  struct Result {
    var output: Data
    var error: String
    var exitCode: Int32

    var text: String { String(decoding: output, as: UTF8.self) }
    var lines: [String] { text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init) }
  }

  /// The executable beside the test bundle.
  static let path: String = {
    var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    for _ in 0..<4 {
      let candidate = folder.appendingPathComponent("millrace").path
      if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
      folder.deleteLastPathComponent()
    }
    return "millrace"
  }()

  /// Runs a line of shell in which `$M` is the command, to its end.
  static func shell(_ script: String, input: Data = Data(), environment: [String: String] = [:]) throws -> Result {
    try Running(["/bin/sh", "-c", script], input: input, environment: environment).finished()
  }

  /// Runs `millrace map` with exactly these arguments.
  static func map(_ arguments: String..., input: String = "") throws -> Result {
    try Running([path, "map"] + arguments, input: Data(input.utf8)).finished()
  }

  /// A process that runs, with its output going to files, so that it never waits for us.
  ///
  /// Its signals are as a shell has them, whatever the test runner ignores; only its own end counts, not that of what
  /// it leaves behind.
  struct Running {
    let id: pid_t
    private let folder: URL

    init(_ arguments: [String], input: Data = Data(), environment: [String: String] = [:]) throws {
      folder = try temporaryFolder()
      var variables = ProcessInfo.processInfo.environment
      variables["SHELL"] = "/bin/bash"
      // Whatever started the tests.
      variables["PARALLEL_SHELL"] = "/bin/bash"
      variables["PARALLEL"] = nil
      variables["M"] = "\(Tool.path) map"
      variables.merge(environment) { $1 }
      let paths = ["in", "out", "err"].map { [folder] in folder.appendingPathComponent($0).path }
      try input.write(to: URL(fileURLWithPath: paths[0]))

      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      for (number, path) in paths.enumerated() {
        posix_spawn_file_actions_addopen(
          &actions, Int32(number), path, number == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND, 0o600)
      }
      // Of the test runner's own descriptors, none.
      for number in 3..<256 as Range<Int32> { posix_spawn_file_actions_addclose(&actions, number) }
      var attributes = posix_spawnattr_t()
      posix_spawnattr_init(&attributes)
      defer { posix_spawnattr_destroy(&attributes) }
      var signals = sigset_t()
      sigemptyset(&signals)
      posix_spawnattr_setsigmask(&attributes, &signals)
      for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&signals, signal) }
      posix_spawnattr_setsigdefault(&attributes, &signals)
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

      var argv = arguments.map { strdup($0) } + [nil]
      var envp = variables.map { strdup("\($0)=\($1)") } + [nil]
      defer { for text in argv + envp { free(text) } }
      var id = pid_t()
      let failure = posix_spawn(&id, arguments[0], &actions, &attributes, &argv, &envp)
      try #require(failure == 0)
      self.id = id
    }

    /// Returns when the process has said something on standard error.
    func waitForMessage(_ text: String) async throws {
      let file = folder.appendingPathComponent("err")
      while !String(decoding: try Data(contentsOf: file), as: UTF8.self).contains(text) {
        try await Task.sleep(for: .milliseconds(5))
      }
    }

    /// - Parameter seconds: it is killed if it has not ended by then.
    func finished(within seconds: Double? = nil) throws -> Result {
      var status: Int32 = 0
      if let seconds {
        let end = ContinuousClock.now + .seconds(seconds)
        var info = siginfo_t()
        while waitid(P_PID, id_t(id), &info, WEXITED | WNOWAIT | WNOHANG) == 0, info.si_signo == 0 {
          if ContinuousClock.now > end { kill(id, SIGKILL) }
          usleep(5_000)
        }
      }
      while waitpid(id, &status, 0) < 0 && errno == EINTR {}
      defer { try? FileManager.default.removeItem(at: folder) }
      let error = try Data(contentsOf: folder.appendingPathComponent("err"))
      return Result(
        output: try Data(contentsOf: folder.appendingPathComponent("out")),
        error: String(decoding: error, as: UTF8.self),
        exitCode: status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + status & 0x7F)
    }
  }

  static func temporaryFolder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }
}
#endif
