import CMillrace
import Glibc
import MillraceIPC
import MillraceTesting
import Testing

/// Nothing of a worker outlives it, and no worker outlives the program.
@Suite(.forks, .timeLimit(.minutes(1)))
struct LifetimeTests {
  /// Starts two processes, one in a session of its own whose parent has ended, tells their numbers and waits.
  private enum Father: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      let children = [start(["sleep", "1000"]), startOrphan()]
      guard (try? control.send(children.map(String.init).joined(separator: " "))) != nil else { return 1 }
      switch try? control.receive() {
      case .message(let message)?:
        switch String(decoding: message.bytes, as: UTF8.self) {
        case "trap": fatalError("with children")
        case "exit": exit(5)
        case "kill": kill(getpid(), SIGKILL)
        case "stop": kill(getpid(), SIGSTOP)
        default: return 6
        }
      default: return 7
      }
      return 8
    }
  }

  private func father(by method: StartMethod) throws -> (TestWorker, [Int32]) {
    let worker = try TestWorker(Father.self, by: method)
    let numbers = try #require(try worker.receive()).split(separator: " ").compactMap { Int32($0) }
    try #require(numbers.count == 2)
    #expect(numbers.allSatisfy(isAlive))
    return (worker, numbers)
  }

  @Test(arguments: StartMethod.allCases)
  func killTakesTheWholeTree(method: StartMethod) throws {
    let (worker, descendants) = try father(by: method)
    worker.child.kill()
    #expect(try worker.waitForEnd().reason == .signalled(SIGKILL, dumpedCore: false))
    #expect(descendants.allSatisfy(endsWithinASecond))
    // Once more, when its number may be somebody else's: nothing happens.
    worker.child.kill()
    worker.child.terminate()
  }

  @Test(arguments: StartMethod.allCases)
  func terminateReachesTheWholeTree(method: StartMethod) throws {
    let (worker, descendants) = try father(by: method)
    worker.child.terminate()
    #expect(try worker.waitForEnd().reason == .signalled(SIGTERM, dumpedCore: false))
    #expect(descendants.allSatisfy(endsWithinASecond))
  }

  @Test(arguments: StartMethod.allCases, ["trap", "exit", "return", "kill"])
  func descendantsEndWithTheWorker(method: StartMethod, how: String) throws {
    let (worker, descendants) = try father(by: method)
    try worker.control.send(how)
    _ = try worker.waitForEnd()
    #expect(endsWithinASecond(descendants[0]))
    // An own session escapes from a SIGKILL of its father only where nobody adopts it.
    if how == "kill" && method != .server {
      kill(descendants[1], SIGKILL)
    }
    #expect(endsWithinASecond(descendants[1]))
  }

  @Test(arguments: StartMethod.allCases)
  func aWorkerEndsWhenItsControlSocketIsClosed(method: StartMethod) throws {
    let (worker, descendants) = try father(by: method)
    try worker.control.send("stop")
    #expect(shutdown(worker.control.rawValue, Int32(SHUT_RDWR)) == 0)
    // Stopped as it is, it can only be ended by force.
    worker.child.kill()
    _ = try worker.waitForEnd()
    #expect(descendants.allSatisfy(endsWithinASecond))

    let (other, others) = try father(by: method)
    #expect(shutdown(other.control.rawValue, Int32(SHUT_RDWR)) == 0)
    _ = try other.waitForEnd()
    #expect(others.allSatisfy(endsWithinASecond))
  }

  /// They go to a terminal's whole session, and to a group whose last tie to its session dies while one of it is
  /// stopped: a worker that died of one would leave to themselves what it has started.
  @Test(arguments: StartMethod.allCases, [SIGHUP, SIGINT])
  func hangUpsAndInterruptsAreNotTheWorkers(method: StartMethod, signal: Int32) throws {
    let (worker, descendants) = try father(by: method)
    #expect(kill(worker.child.pid, signal) == 0)
    try worker.control.send("exit")
    #expect(try worker.waitForEnd().reason == .exited(code: 5))
    #expect(descendants.allSatisfy(endsWithinASecond))
  }

  /// A program in the middle: it launches a `Father` of its own, and passes on what that one says.
  private enum Middle: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      guard case .message(let message)? = try? control.receive(),
        let method = StartMethod(rawValue: String(decoding: message.bytes, as: UTF8.self)),
        let worker = try? TestWorker(Father.self, by: method), let numbers = try? worker.receive(),
        (try? control.send("\(worker.child.pid) \(numbers)")) != nil
      else { return 1 }
      if method == .server { try? worker.control.send("stop") }
      _ = try? control.receive()
      return 0
    }
  }

  @Test("F41 nothing outlives a killed program", arguments: StartMethod.allCases, StartMethod.allCases)
  func nothingOutlivesAKilledProgram(program: StartMethod, method: StartMethod) throws {
    let middle = try TestWorker(Middle.self, by: program)
    try middle.control.send(method.rawValue)
    let numbers = try #require(try middle.receive()).split(separator: " ").compactMap { Int32($0) }
    try #require(numbers.count == 3)
    #expect(kill(middle.child.pid, SIGKILL) == 0)
    _ = try middle.waitForEnd()
    for number in numbers {
      let isGone = endsWithinASecond(number)
      #expect(isGone, "of \(numbers): \(state(of: number))")
    }
  }

  /// What the kernel says of a process that should be gone.
  private func state(of process: Int32) -> String {
    ["stat", "wchan", "cmdline"].map { name in
      guard let file = fopen("/proc/\(process)/\(name)", "r") else { return "gone" }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 81)
      let count = fread(&line, 1, 80, file)
      return String(decoding: line[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }.joined(separator: ", ")
  }

  @Test func workersEndWithAKilledForkServer() throws {
    let server = try ForkServer()
    let pair = try ControlSocket.Pair()
    try server.launch(token: 1, control: pair.worker.rawValue)
    try pair.parent.send(#require(WorkerIntroduction(Father.self)).bytes)
    guard case .started(_, let child)? = try server.nextEvent(), case .message(let message) = try pair.parent.receive()
    else { throw Unexpected() }
    let descendants = String(decoding: message.bytes, as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
    #expect(kill(server.pid, SIGKILL) == 0)
    guard case .serverDied? = try server.nextEvent() else { throw Unexpected() }
    #expect(endsWithinASecond(child.pid))
    #expect(descendants.count == 2 && descendants.allSatisfy(endsWithinASecond))
    #expect(throws: LaunchError.serverDied) { try server.launch(token: 2, control: pair.worker.rawValue) }
    server.shutdown()
  }

  /// Launches itself until it is refused, and hands the reason up.
  private enum Digger: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      guard case .message(let message)? = try? control.receive(),
        let method = StartMethod(rawValue: String(decoding: message.bytes, as: UTF8.self))
      else { return 1 }
      do {
        let next = try TestWorker(Digger.self, by: method)
        try next.control.send(method.rawValue)
        try control.send(next.receive() ?? "nothing")
        return try next.waitForEnd().reason == .exited(code: 0) ? 0 : 2
      } catch {
        return (try? control.send("\(millrace_depth()): \(error)")) != nil ? 0 : 3
      }
    }
  }

  @Test(arguments: StartMethod.allCases)
  func depthIsLimited(method: StartMethod) throws {
    #expect(millrace_depth() == 0)
    let first = try TestWorker(Digger.self, by: method)
    try first.control.send(method.rawValue)
    #expect(try first.receive() == "8: \(LaunchError.tooDeep(limit: 8))")
    #expect(try first.waitForEnd().reason == .exited(code: 0))
  }
}

/// A process in the group of the caller, which writes to a descriptor.
private func start(_ words: [String], output: Int32 = STDERR_FILENO) -> Int32 {
  var arguments = words.map { strdup($0) } + [nil]
  defer { for argument in arguments { free(argument) } }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
  var pid: pid_t = 0
  return posix_spawnp(&pid, words[0], &actions, nil, &arguments, environ) == 0 ? pid : -1
}

/// A process in a session of its own, whose parent has ended.
private func startOrphan() -> Int32 {
  guard let pipe = try? Pipe() else { return -1 }
  let shell = start(["sh", "-c", "setsid sh -c 'echo $$; exec sleep 1000' &"], output: pipe.writing.rawValue)
  guard shell > 0, waitpid(shell, nil, 0) == shell else { return -1 }
  var text = [UInt8](repeating: 0, count: 32)
  let count = read(pipe.reading.rawValue, &text, text.count)
  return Int32(String(decoding: text.prefix(max(0, count)), as: UTF8.self).filter(\.isNumber)) ?? -1
}
