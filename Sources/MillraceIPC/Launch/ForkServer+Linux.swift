#if os(Linux)
import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Starts clean worker processes in about a millisecond.
///
/// It is this very executable, spawned once and stopped before `main`, where it has one thread and hardly any memory:
/// a fork of it inherits nothing that could hang. A worker then reads its `WorkerIntroduction` from its control socket.
/// When this program ends, by SIGKILL too, or `shutdown` is called, the server kills all workers with everything that
/// they have started, and ends.
package final class ForkServer: Sendable {
  package let pid: Int32
  private let socket: ControlSocket
  private let pidfd: Descriptor
  private let kind: UInt64
  private let state = Lock(State())

  private struct State {
    /// Requests that the socket had no room for; their descriptors are copies.
    var waiting: [Request] = []
    var isOver = false
  }

  private struct Request {
    let bytes: [UInt8]
    let descriptors: [Int32]
  }

  /// Spawns the server; returns at once, before it is ready to serve.
  ///
  /// Requests wait for it.
  ///
  /// - Parameters:
  ///   - backtrace: Settings of Swift's backtracer for its workers, in place of the program's own.
  ///   - surroundings: What it and its workers begin with; without them, what the program has now.
  package init(backtrace: String? = nil, surroundings: Surroundings = Surroundings()) throws(LaunchError) {
    let pair: ControlSocket.Pair
    do { pair = try ControlSocket.Pair() } catch { throw .system(error) }
    var pid: Int32 = 0
    var pidfd: Int32 = -1
    let socket = pair.worker.rawValue
    var error: Int32 = 0
    let refused = Spawner.onSpawner {
      error = surroundings.with {
        millrace_spawn_self(Int32(MILLRACE_ROLE_SERVER), socket, -1, -1, backtrace, $0, &pid, &pidfd)
      }
    }
    guard refused == 0 else { throw LaunchError(call: "pthread_create", code: refused) }
    guard error == 0 else { throw LaunchError(call: "posix_spawn", code: error) }
    self.pid = pid
    self.pidfd = Descriptor(owning: pidfd)
    kind = millrace_fd_kind(pidfd)
    self.socket = pair.parent
  }

  deinit {
    shutdown()
  }

  /// Readable when `events()` has something to tell.
  package var descriptor: Int32 { socket.rawValue }

  /// Asks for a worker; never waits.
  ///
  /// The events tell what comes of it.
  ///
  /// - Parameters:
  ///   - token: The worker's name in the events.
  ///   - control: The worker's end of its control socket. The server gets a copy: close it here afterwards.
  ///   - stdout: Becomes the worker's standard output; without it, it is the program's. `stderr` likewise.
  package func launch(token: UInt64, control: Int32, stdout: Int32? = nil, stderr: Int32? = nil) throws(LaunchError) {
    guard millrace_depth() < MILLRACE_DEPTH_LIMIT else { throw .tooDeep(limit: Int(MILLRACE_DEPTH_LIMIT)) }
    var request = millrace_server_request()
    request.kind = UInt32(MILLRACE_SERVER_FORK)
    request.token = token
    if stdout != nil { request.flags |= UInt32(MILLRACE_SERVER_HAS_STDOUT) }
    if stderr != nil { request.flags |= UInt32(MILLRACE_SERVER_HAS_STDERR) }
    let bytes = withUnsafeBytes(of: &request) { Array($0) }
    let descriptors = [control] + [stdout, stderr].compactMap(\.self)
    let result: Result<Void, LaunchError> = state.withLock { state in
      guard !state.isOver else { return .failure(.serverDied) }
      do throws(SystemCallError) {
        let isSent = state.waiting.isEmpty ? try socket.trySend(bytes, descriptors: descriptors) : false
        if !isSent { state.waiting.append(Request(bytes: bytes, descriptors: try Self.copies(of: descriptors))) }
        return .success(())
      } catch {
        return .failure(error.code == EPIPE ? .serverDied : .system(error))
      }
    }
    try result.get()
  }

  /// What has happened since the last call; never waits.
  package func events() throws(LaunchError) -> [LaunchEvent] {
    var events: [LaunchEvent] = []
    do throws(SystemCallError) {
      while true {
        // A worker of which there is no descriptor here has failed, and none of the others.
        switch try socket.tryReceive(takesTruncated: true) {
        case .nothing:
          // Whatever was read made room.
          try sendWaiting()
          return events
        case .closed:
          markOver()
          events.append(.serverDied)
          return events
        case .message(var message):
          if let event = Self.event(&message) { events.append(event) }
        }
      }
    } catch {
      guard error.code == EPIPE else { throw .system(error) }
      markOver()
      return events + [.serverDied]
    }
  }

  /// Ends the server and all its workers, with everything that they have started, and waits for the server's end
  /// (milliseconds; four seconds at the most, if it is stuck or may not be signalled).
  ///
  /// Afterwards nothing is left. May be called again.
  package func shutdown() {
    markOver()
    // Half a close is enough for the server, and no other thread can meet a descriptor of that number meanwhile.
    socket.hangUp()
    if pidfd.isIntact { end(pidfd.rawValue) }
    // Code of the program's may have closed that, before or meanwhile.
    let renewed = millrace_pidfd_renewed(pid, pidfd.rawValue, kind)
    guard renewed >= 0 else { return }
    end(renewed)
    millrace_fd_close(renewed)
  }

  private func end(_ pidfd: Int32) {
    var ended = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
    if poll(&ended, 1, Self.patience) != 1 { _ = millrace_pidfd_signal(pidfd, SIGKILL) }
    ChildProcess.wait(pidfd, Self.patience)
    _ = ChildProcess.reap(pid, pidfd)
  }

  /// Whether it can still be heard.
  package var isIntact: Bool { socket.isIntact }

  /// Lets the server go on, if somebody has stopped it.
  package func wake() { _ = millrace_pidfd_signal(pidfd.rawValue, SIGCONT) }

  /// Ends the server, which is stopped or stuck: its workers watch its life themselves, and end.
  package func kill() { _ = millrace_pidfd_signal(pidfd.rawValue, SIGKILL) }

  private static let patience: Int32 = 2000

  private func markOver() {
    let dropped = state.withLock { state in
      state.isOver = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for request in dropped { Self.close(request.descriptors) }
  }

  private func sendWaiting() throws(SystemCallError) {
    let result: Result<Void, SystemCallError> = state.withLock { state in
      do throws(SystemCallError) {
        while let next = state.waiting.first, try socket.trySend(next.bytes, descriptors: next.descriptors) {
          Self.close(state.waiting.removeFirst().descriptors)
        }
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  /// What a message of the server says; nil if it says nothing that is known.
  package static func event(_ message: inout ControlMessage) -> LaunchEvent? {
    guard message.bytes.count == MemoryLayout<millrace_server_answer>.size else { return nil }
    let answer = message.bytes.withUnsafeBytes { $0.loadUnaligned(as: millrace_server_answer.self) }
    switch answer.kind {
    case UInt32(MILLRACE_SERVER_STARTED):
      guard let pidfd = message.takeDescriptor() else {
        return .failed(token: answer.token, SystemCallError("pidfd_open", EMFILE))
      }
      return .started(
        token: answer.token, ChildProcess(pid: answer.pid, pidfd: pidfd, isOwnChild: false))
    case UInt32(MILLRACE_SERVER_FAILED):
      return .failed(token: answer.token, SystemCallError("fork", answer.value))
    case UInt32(MILLRACE_SERVER_EXITED):
      return .exited(
        token: answer.token, ProcessExit(waitStatus: answer.value, peakResidentKiB: Int(clamping: answer.max_rss_kib)))
    default:
      return nil
    }
  }

  private static func copies(of descriptors: [Int32]) throws(SystemCallError) -> [Int32] {
    var copies: [Int32] = []
    for descriptor in descriptors {
      let copy = millrace_fd_copy(descriptor)
      guard copy >= 0 else {
        let error = SystemCallError("fcntl", errno)
        close(copies)
        throw error
      }
      copies.append(copy)
    }
    return copies
  }

  private static func close(_ descriptors: [Int32]) {
    for descriptor in descriptors { _ = Descriptor(owning: descriptor) }
  }
}
#endif
