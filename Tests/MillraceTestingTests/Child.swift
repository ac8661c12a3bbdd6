import Foundation

/// A child that runs a line of shell.
struct Child {
  private(set) var id: pid_t = 0

  init() {}

  init(_ script: String) throws { id = try Self.spawn(script, output: nil) }

  /// Starts a line of shell whose parent ends at once.
  static func orphan(_ script: String) throws -> pid_t {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw POSIXError(.EMFILE) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let parent = try spawn("\(script) >/dev/null & echo $!", output: ends[1])
    close(ends[1])
    defer { close(ends[0]) }
    waitpid(parent, nil, 0)
    let text = FileHandle(fileDescriptor: ends[0]).readDataToEndOfFile()
    let number = String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    guard let id = pid_t(number) else { throw POSIXError(.ESRCH) }
    return id
  }

  private static func spawn(_ script: String, output: Int32?) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // None keeps the output of the tests: whoever reads that would wait for the child's end.
    for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
      posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0)
    }
    if let output { posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) }
    let words: [String] = ["sh", "-c", script]
    var arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var id: pid_t = 0
    let error = posix_spawn(&id, "/bin/sh", &actions, nil, &arguments, environ)
    guard error == 0 else { throw POSIXError(POSIXErrorCode(rawValue: error) ?? .EAGAIN) }
    return id
  }

  func waitUntilItIsAZombie() {
    var information = siginfo_t()
    waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT)
  }

  func reap() { waitpid(id, nil, 0) }

  func kill() {
    Foundation.kill(id, SIGKILL)
    reap()
  }
}
