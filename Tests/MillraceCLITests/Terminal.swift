#if CLI
import Foundation
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// A terminal with a script of bash in it, as a user has one.
final class Terminal {
  let id: pid_t
  private let device: Int32
  /// `POSIX_SPAWN_SETSID`, which Swift does not see.
  private static let newSession: Int32 = 0x80
  /// What was shown so far.
  private(set) var shown = ""

  /// Runs a script of bash in which `$M` is the command.
  init(_ script: String, environment: [String: String] = [:]) throws {
    var ends: (ours: Int32, theirs: Int32) = (-1, -1)
    try #require(openpty(&ends.ours, &ends.theirs, nil, nil, nil) == 0)
    device = ends.ours
    _ = fcntl(device, F_SETFD, FD_CLOEXEC)
    defer { close(ends.theirs) }
    let name = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(ends.theirs)")
    var variables = ProcessInfo.processInfo.environment
    variables.merge(["M": "\(Tool.path) map", "PARALLEL_SHELL": "/bin/bash"]) { $1 }
    variables.merge(environment) { $1 }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // The first terminal that the leader of a session opens is the session's.
    posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
    for number in 1...2 as ClosedRange<Int32> { posix_spawn_file_actions_adddup2(&actions, 0, number) }
    for number in 3..<256 as Range<Int32> { posix_spawn_file_actions_addclose(&actions, number) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | Self.newSession))
    let arguments = ["/bin/bash", "-c", script]
    var argv = arguments.map { strdup($0) } + [nil]
    var envp = variables.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var id = pid_t()
    let failure = posix_spawn(&id, arguments[0], &actions, &attributes, &argv, &envp)
    try #require(failure == 0)
    self.id = id
  }

  deinit { close(device) }

  /// Presses keys.
  func type(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(device, bytes, bytes.count)
  }

  /// Returns when this has been shown, or when the script has ended.
  func wait(for text: String) {
    while !shown.contains(text), readMore() {}
  }

  /// Reads to the end; returns the script's exit code.
  func end() -> Int32 {
    while readMore() {}
    var status: Int32 = 0
    while waitpid(id, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + status & 0x7F
  }

  private func readMore() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = read(device, &buffer, buffer.count)
    guard count > 0 else { return false }
    shown += String(decoding: buffer[..<count], as: UTF8.self)
    return true
  }
}
#endif
