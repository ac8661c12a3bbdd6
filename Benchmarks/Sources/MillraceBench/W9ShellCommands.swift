import Contract

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// W9, shell commands: `millrace map` runs 2,000 jobs, two at a time, with its job log, outputs grouped, to nowhere.
///
/// `kind=true|echo|shell`. The command is the one that `command=PATH` names, or MILLRACE_COMMAND, or the one on the PATH.
func shellCommands(_ run: Run) async throws {
  let kind = run["kind"] ?? "true"
  guard let job = ["true": ["true"], "echo": ["echo"], "shell": ["echo {}"]][kind] else {
    Run.refuse("kind=\(kind): one of true, echo, shell")
  }
  let command = run["command"] ?? getenv("MILLRACE_COMMAND").map { String(cString: $0) } ?? "millrace"
  let count = 2_000
  let log = try JobLogFile()
  defer { log.remove() }
  let arguments =
    [command, "map", "--jobs", "\(Run.workers)", "--group", "--joblog", log.path] + job + [":::"]
    + (1...count).map(String.init)

  for sample in run.samples("W9.\(kind)", amount: Double(count), unit: "jobs/s") {
    let code = try spawnAndWait(arguments)
    sample.stop()
    sample.check(code == 0, "\(command) ended with code \(code)")
    let (jobs, bytes) = try log.readSucceeded()
    // `echo i` is the number and a newline.
    let expected = kind == "true" ? 0 : (1...count).reduce(0) { $0 + String($1).utf8.count + 1 }
    sample.check(jobs == count, "the log has \(jobs) jobs that succeeded")
    sample.check(bytes == expected, "the jobs' outputs have \(bytes) bytes, not \(expected)")
  }
}

/// Runs a program with its output to nowhere, and returns its exit code.
private func spawnAndWait(_ arguments: [String]) throws -> Int32 {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
  var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
  defer { for word in words { free(word) } }
  var child: pid_t = 0
  let code = posix_spawnp(&child, arguments[0], &actions, nil, &words, environ)
  guard code == 0 else { throw CommandError(description: "\(arguments[0]): \(String(cString: strerror(code)))") }
  var status: Int32 = 0
  while waitpid(child, &status, 0) < 0 {
    guard errno == EINTR else { throw CommandError(description: "waitpid: \(String(cString: strerror(errno)))") }
  }
  return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + status & 0x7F
}

private struct CommandError: Error, CustomStringConvertible {
  let description: String
}

/// A job log in a directory of its own.
private struct JobLogFile {
  private let directory: String
  var path: String { directory + "/log" }

  init() throws {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array((parent + "/millrace-bench.XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else {
      throw CommandError(description: "no directory for the job log in \(parent): \(String(cString: strerror(errno)))")
    }
    directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Reads the log, and removes it for the next repetition: how many jobs succeeded, and the bytes that they wrote.
  func readSucceeded() throws -> (jobs: Int, bytes: Int) {
    guard let file = fopen(path, "r") else { throw CommandError(description: "there is no job log") }
    defer {
      fclose(file)
      unlink(path)
    }
    var (jobs, bytes) = (0, 0)
    var line = [CChar](repeating: 0, count: 4_096)
    while fgets(&line, Int32(line.count), file) != nil {
      // Seq, Host, Starttime, JobRuntime, Send, Receive, Exitval, Signal, Command
      let columns = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        .split(separator: "\t", omittingEmptySubsequences: false)
      guard columns.count >= 9, columns[6] == "0", columns[7] == "0" else { continue }
      jobs += 1
      bytes += Int(columns[5]) ?? 0
    }
    return (jobs, bytes)
  }

  func remove() {
    unlink(path)
    rmdir(directory)
  }
}
