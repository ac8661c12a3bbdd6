import CMillrace
import Glibc
import MillraceIPC
import Synchronization
import Testing

/// The three ways to start a worker.
enum StartMethod: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case server, spawn, fork

  var testDescription: String { rawValue }
}

/// One real worker process under test, started in any of the three ways.
final class TestWorker: Sendable {
  let child: ChildProcess
  let control: ControlSocket
  let output: Descriptor
  let errors: Descriptor
  private let server: ForkServer?

  /// Starts `main`, unless `introduction` says otherwise.
  ///
  /// The worker's standard output and error are pipes, read by `readOutput` and `readErrors`. `backtrace` are settings of
  /// Swift's backtracer; those of a fork are the tests' own.
  init(
    _ main: any WorkerMain.Type, by method: StartMethod, introduction: [UInt8]? = nil, backtrace: String? = nil
  ) throws {
    let pair = try ControlSocket.Pair()
    let output = try Pipe()
    let errors = try Pipe()
    switch method {
    case .server:
      let server = try ForkServer(backtrace: backtrace)
      try server.launch(
        token: 7, control: pair.worker.rawValue, stdout: output.writing.rawValue, stderr: errors.writing.rawValue)
      guard case .started(token: 7, let child)? = try server.nextEvent() else { throw Unexpected() }
      self.server = server
      self.child = child
    case .spawn:
      server = nil
      child = try Spawner.spawn(
        control: pair.worker.rawValue, stdout: output.writing.rawValue, stderr: errors.writing.rawValue,
        backtrace: backtrace)
    case .fork:
      server = nil
      child = try Spawner.fork(
        control: pair.worker.rawValue, stdout: output.writing.rawValue, stderr: errors.writing.rawValue
      ) { control in
        // The others are told what to run; a fork knows it.
        _ = try? control.receive()
        return main.run(control: control)
      }
    }
    try pair.parent.send(introduction ?? #require(WorkerIntroduction(main)).bytes)
    self.control = pair.parent
    self.output = output.reading
    self.errors = errors.reading
  }

  /// Waits until it has ended.
  func waitForEnd() throws -> ProcessExit {
    guard let server else { return child.waitForEnd() }
    guard case .exited(token: 7, let exit)? = try server.nextEvent() else { throw Unexpected() }
    return exit
  }

  /// What it has to say next, as text; `nil` at the end.
  func receive() throws -> String? {
    guard case .message(let message) = try control.receive() else { return nil }
    return String(decoding: message.bytes, as: UTF8.self)
  }

  /// Everything until it and all that hold its standard error are gone.
  func readErrors() -> String { readAll(errors.rawValue) }

  func readOutput() -> String { readAll(output.rawValue) }
}

struct Unexpected: Error {}

func readAll(_ descriptor: Int32) -> String {
  var all: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return String(decoding: all, as: UTF8.self) }
    all += buffer[..<count]
  }
}

extension ForkServer {
  /// Waits for news.
  ///
  /// Several at once are more than these tests cause.
  func nextEvent() throws -> LaunchEvent? {
    var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while poll(&state, 1, -1) < 0 && errno == EINTR {}
    let events = try events()
    #expect(events.count <= 1)
    return events.first
  }
}

extension ControlSocket {
  func send(_ text: String) throws {
    try send(Array(text.utf8))
  }
}

/// Whether a process exists (zombies do not count).
func isAlive(_ pid: Int32) -> Bool {
  guard let state = statusField(pid, "State:") else { return false }
  return !state.contains("Z") && !state.contains("X")
}

/// A line of /proc/<pid>/status, without its name.
func statusField(_ pid: Int32, _ name: String) -> String? {
  let descriptor = open("/proc/\(pid)/status", O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  return readAll(descriptor).split(separator: "\n").first { $0.hasPrefix(name) }.map {
    String($0.dropFirst(name.count))
  }
}

/// Waits for the end of a process that is not our child; `false` if it takes longer than a second.
func endsWithinASecond(_ pid: Int32) -> Bool {
  let descriptor = millrace_pidfd_open(pid)
  guard descriptor >= 0 else { return true }
  defer { close(descriptor) }
  var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
  return poll(&state, 1, 1000) == 1
}
