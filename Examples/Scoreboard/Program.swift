#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// This executable once more, as a program of its own that is ended from outside.
final class Program {
  let process: pid_t
  /// Its workers.
  private(set) var workers: [Int32] = []

  /// Starts it, and waits until both of its workers work; nil if it does not come to that.
  init?() {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    var arguments = [strdup("Scoreboard"), strdup("be the program"), nil]
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    let error = posix_spawn(&process, "/proc/self/exe", &actions, nil, &arguments, environ)
    self.process = process
    close(ends[1])
    guard error == 0, let output = fdopen(ends[0], "r") else {
      close(ends[0])
      return nil
    }
    defer { fclose(output) }
    var line = [CChar](repeating: 0, count: 64)
    while workers.count < 2, fgets(&line, Int32(line.count), output) != nil { workers.append(atoi(line)) }
    if workers.count < 2 {
      wait()
      return nil
    }
  }

  /// Waits for its end; its exit code, or -1 if a signal ended it.
  @discardableResult
  func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : -1
  }
}

/// A temporary file that holds a time.
struct Note {
  let path = "/tmp/millrace-scoreboard-\(getpid())"

  var time: UInt64 {
    guard let file = fopen(path, "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 64)
    return fgets(&line, Int32(line.count), file) == nil ? 0 : strtoull(line, nil, 10)
  }

  func remove() { unlink(path) }
}
