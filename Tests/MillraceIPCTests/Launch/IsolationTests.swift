import CMillrace
import Glibc
import MillraceIPC
import MillraceTesting
import Testing

/// What a worker inherits, and what its launches leave in the program.
@Suite(.forks, .timeLimit(.minutes(1)))
struct IsolationTests {
  /// Tells what its descriptors are, one a line.
  private enum Probe: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      guard (try? control.send(openFiles(of: getpid()).joined(separator: "\n"))) != nil else { return 1 }
      guard case .message? = try? control.receive() else { return 2 }
      return 0
    }
  }

  private func check(_ files: [String]) {
    #expect(files.contains("0 /dev/null"))
    let kinds = files.map { $0.split(separator: " ")[1].prefix { $0 != ":" } }
    // Its standard output and error and its control socket; nothing of the program or of a sibling. Nothing of ours where
    // a number of the user's may be.
    #expect(files.allSatisfy { Int($0.prefix { $0 != " " })! <= 2 || Int($0.prefix { $0 != " " })! > 512 }, "\(files)")
    #expect(kinds.count { $0 == "pipe" } == 2, "\(files)")
    #expect(kinds.count { $0 == "socket" } == 1, "\(files)")
    // And what its first thread waits for: the hang-up of that, the parent's end, and work.
    #expect(files.count <= 7, "\(files)")
  }

  @Test(arguments: StartMethod.allCases)
  func aWorkerHoldsItsOwnDescriptorsOnly(method: StartMethod) throws {
    let inherited = open("/dev/zero", O_RDONLY)  // not close-on-exec, as careless code has them
    defer { close(inherited) }
    let first = try TestWorker(Probe.self, by: method)
    let firstFiles = try #require(try first.receive()).split(separator: "\n").map(String.init)
    let second = try TestWorker(Probe.self, by: method)
    let secondFiles = try #require(try second.receive()).split(separator: "\n").map(String.init)
    if method == .fork {
      // What the program has, it has too; of what the first worker takes in the program, nothing.
      #expect(firstFiles.contains { $0.hasSuffix("/dev/zero") })
      #expect(firstFiles.count == secondFiles.count, "\(firstFiles) \(secondFiles)")
    } else {
      check(firstFiles)
      check(secondFiles)
    }
    for worker in [first, second] {
      try worker.control.send("end")
      #expect(try worker.waitForEnd().reason == .exited(code: 0))
    }
  }

  @Test("U3: a fork has the program's descriptors by their numbers, and none of ours")
  func aForkKeepsTheProgramsDescriptors() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    let number = ends[1]
    let ours = try Pipe()
    let pair = try ControlSocket.Pair()
    let numbers = [ours.reading.rawValue, ours.writing.rawValue, pair.parent.rawValue, pair.worker.rawValue]
    let child = try Spawner.fork(control: pair.worker.rawValue) { _ in
      guard numbers.allSatisfy({ fcntl($0, F_GETFD) == -1 }) else { return 2 }
      return write(number, "here", 4) == 4 ? 0 : 1
    }
    #expect(child.waitForEnd().reason == .exited(code: 0))
    var text = [UInt8](repeating: 0, count: 8)
    #expect(read(ends[0], &text, 8) == 4)
  }

  @Test(
    "U181: a fork has what the program put in the place of a descriptor of ours that it had closed",
    arguments: [false, true])
  func aForkKeepsWhatStandsInOursPlace(isGivenUp: Bool) throws {
    let pipe = try Pipe()
    var ours: HeldDescriptor? = HeldDescriptor(Descriptor(owning: pipe.reading.take()))
    let number = ours?.rawValue ?? -1
    let null = open("/dev/null", O_RDONLY)
    defer { close(null) }
    #expect(dup2(null, number) == number)
    if isGivenUp { ours = nil }
    defer { close(number) }
    let pair = try ControlSocket.Pair()
    let child = try Spawner.fork(control: pair.worker.rawValue) { _ in
      var text: UInt8 = 0
      return read(number, &text, 1) == 0 ? 0 : 1
    }
    #expect(child.waitForEnd().reason == .exited(code: 0))
    #expect(fcntl(number, F_GETFD) >= 0)
  }

  @Test("U186: what the program put in the place of our shared memory stays open when that goes")
  func theProgramsStaysOpen() throws {
    let null = open("/dev/null", O_RDONLY)
    defer { close(null) }
    var memory = try SharedMemory(size: 4_096)
    let number = memory.descriptor
    #expect(dup2(null, number) == number)
    defer { close(number) }
    memory.letGo()
    #expect(fcntl(number, F_GETFD) >= 0)
  }

  /// Launches a `Probe` with its own 0 to 2 closed, and passes on what that one says.
  private enum Bare: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      guard case .message(let message)? = try? control.receive(),
        let method = StartMethod(rawValue: String(decoding: message.bytes, as: UTF8.self))
      else { return 1 }
      for descriptor in 0...2 { close(Int32(descriptor)) }
      guard let worker = try? TestWorker(Probe.self, by: method), let files = try? worker.receive(),
        (try? control.send(files)) != nil, (try? worker.control.send("end")) != nil
      else { return 2 }
      return (try? worker.waitForEnd().reason) == .exited(code: 0) ? 0 : 3
    }
  }

  @Test("F46 U4: the standard descriptors are closed", arguments: StartMethod.allCases)
  func closedStandardDescriptorsBreakNothing(method: StartMethod) throws {
    let bare = try TestWorker(Bare.self, by: .server)
    try bare.control.send(method.rawValue)
    check(try #require(try bare.receive()).split(separator: "\n").map(String.init))
    #expect(try bare.waitForEnd().reason == .exited(code: 0))
  }

  /// Starts and ends many workers, and compares what it has before and after.
  private enum Cycler: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      guard case .message(let message)? = try? control.receive(),
        let method = StartMethod(rawValue: String(decoding: message.bytes, as: UTF8.self)), (try? cycle(method)) != nil
      else { return 1 }
      let before = openFiles(of: getpid())
      for _ in 0..<30 { guard (try? cycle(method)) != nil else { return 2 } }
      guard openFiles(of: getpid()).count == before.count else { return 3 }
      var none: Int32 = 0
      return waitpid(-1, &none, WNOHANG) == -1 && errno == ECHILD ? 0 : 4
    }

    private static func cycle(_ method: StartMethod) throws {
      let worker = try TestWorker(Probe.self, by: method)
      guard try worker.receive() != nil else { throw Unexpected() }
      try worker.control.send("end")
      guard try worker.waitForEnd().reason == .exited(code: 0) else { throw Unexpected() }
    }
  }

  @Test(arguments: StartMethod.allCases)
  func thirtyStartsLeaveNothing(method: StartMethod) throws {
    let cycler = try TestWorker(Cycler.self, by: .server)
    try cycler.control.send(method.rawValue)
    #expect(try cycler.waitForEnd().reason == .exited(code: 0))
  }

  /// Bears the signals that belong to the program, and does not pass its deafness on.
  private enum Deaf: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      for signal in [SIGINT, SIGPIPE] {
        raise(signal)
        let status = "kill -\(signal) $$".withCString { system($0) }
        guard status & 0x7f == signal || status >> 8 == 128 + signal else { return signal }
      }
      let ours = ["MILLRACE_BOOTSTRAP", "GLIBC_TUNABLES"]
      guard getpgid(0) == getpid(), ours.allSatisfy({ getenv($0) == nil }) else { return 2 }
      // The program's own, if it has any, not ours.
      guard case .message(let message)? = try? control.receive() else { return 3 }
      let backtrace = getenv("SWIFT_BACKTRACE").map { String(cString: $0) } ?? ""
      return backtrace == String(decoding: message.bytes, as: UTF8.self) ? 0 : 4
    }
  }

  @Test(arguments: StartMethod.allCases)
  func interruptsBelongToTheProgram(method: StartMethod) throws {
    let worker = try TestWorker(Deaf.self, by: method)
    try worker.control.send(getenv("SWIFT_BACKTRACE").map { String(cString: $0) } ?? "")
    #expect(try worker.waitForEnd().reason == .exited(code: 0))
  }

  /// Starts a worker in a program with settings of the C library's.
  private enum Tuned: WorkerMain {
    static let settings = "glibc.malloc.check=0:glibc.malloc.perturb=0"

    static func run(control: consuming ControlSocket) -> Int32 {
      guard case .message(let message)? = try? control.receive(),
        let method = StartMethod(rawValue: String(decoding: message.bytes, as: UTF8.self))
      else { return 1 }
      setenv("GLIBC_TUNABLES", settings, 1)
      guard let worker = try? TestWorker(Inner.self, by: method) else { return 2 }
      return (try? worker.waitForEnd().reason) == .exited(code: 0) ? 0 : 3
    }

    enum Inner: WorkerMain {
      static func run(control: consuming ControlSocket) -> Int32 {
        getenv("GLIBC_TUNABLES").map { String(cString: $0) } == settings ? 0 : 1
      }
    }
  }

  @Test(arguments: StartMethod.allCases)
  func settingsOfTheCLibraryAreThePrograms(method: StartMethod) throws {
    let tuned = try TestWorker(Tuned.self, by: .server)
    try tuned.control.send(method.rawValue)
    #expect(try tuned.waitForEnd().reason == .exited(code: 0))
  }

  /// Says something on both outputs, buffered.
  private enum Talker: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      print("out of \(CommandLine.arguments.count > 0 ? "a worker" : "nowhere")")
      return write(STDERR_FILENO, "error\n", 6) == 6 ? 0 : 1
    }
  }

  @Test(arguments: StartMethod.allCases)
  func outputsAreCaptured(method: StartMethod) throws {
    let worker = try TestWorker(Talker.self, by: method)
    #expect(worker.readOutput() == "out of a worker\n")
    #expect(worker.readErrors() == "error\n")
    #expect(try worker.waitForEnd().reason == .exited(code: 0))
  }

  @Test func forksOfABusyProgramDoNotHang() throws {
    // Threads that hold the locks of malloc and of the output, as often as they can.
    let stop = Flag()
    let threads = (0..<3).map { _ in
      BareThread {
        while !stop.isSet {
          var some: [String] = []
          for number in 0..<100 { some.append(String(repeating: "x", count: number)) }
          fflush(nil)
        }
      }
    }
    defer {
      stop.set()
      for thread in threads { thread.join() }
    }
    for number in 0..<100 {
      let pair = try ControlSocket.Pair()
      let child = try Spawner.fork(control: pair.worker.rawValue) { control in
        let text = (0...number).map(String.init).joined()
        return (try? control.send(text)) != nil ? 0 : 1
      }
      #expect(child.waitForEnd().reason == .exited(code: 0))
    }
  }

  @Test func manyLaunchesAtOnceWaitTheirTurn() throws {
    let server = try ForkServer()
    // So little room that most requests have to wait in the program.
    var room: Int32 = 1
    #expect(setsockopt(server.descriptor, SOL_SOCKET, SO_SNDBUF, &room, 4) == 0)
    #expect(kill(server.pid, SIGSTOP) == 0)
    let count = 40
    for token in 0..<count {
      let pair = try ControlSocket.Pair()
      try server.launch(token: UInt64(token), control: pair.worker.rawValue)
      // Both ends are closed here: each worker finds nobody and ends.
    }
    #expect(kill(server.pid, SIGCONT) == 0)
    var ended: Set<UInt64> = []
    while ended.count < count {
      var state = pollfd(fd: server.descriptor, events: Int16(POLLIN), revents: 0)
      #expect(poll(&state, 1, 20_000) == 1)
      for event in try server.events() {
        if case .exited(let token, _) = event { ended.insert(token) }
        if case .serverDied = event { throw Unexpected() }
      }
    }
    server.shutdown()
    #expect(!isAlive(server.pid))
  }

  @Test func aStoppedServerIsShutDownToo() throws {
    let server = try ForkServer()
    #expect(kill(server.pid, SIGSTOP) == 0)
    server.shutdown()
    #expect(statusField(server.pid, "State:") == nil)
  }

  @Test("F03 a worker of another build, and one that is told nonsense") func strangersAreRefused() throws {
    let main = try #require(TypeReference(Probe.self))
    let other = BuildFingerprint(bytes: [1, 2, 3])
    for (bytes, code, text) in [
      (WorkerIntroduction(fingerprint: other, main: main).bytes, WorkerExitCode.otherBuild, "build 010203"),
      (
        WorkerIntroduction(main: TypeReference(bytes: [1] + Array("4Nope4TypeV".utf8))).bytes,
        WorkerExitCode.unknownType, "cannot find the type"
      ),
      (
        WorkerIntroduction(main: try #require(TypeReference(Int.self))).bytes,
        WorkerExitCode.unknownType, "cannot find the type"
      ),
      ([9, 9], WorkerExitCode.noIntroduction, ""),
    ] {
      let worker = try TestWorker(Probe.self, by: .spawn, introduction: bytes)
      #expect(worker.readErrors().contains(text) || text.isEmpty)
      #expect(try worker.waitForEnd().reason == .exited(code: code))
    }
  }
}

/// "number what" for each open descriptor, without the one that reads them.
private func openFiles(of pid: Int32) -> [String] {
  guard let directory = opendir("/proc/\(pid)/fd") else { return [] }
  defer { closedir(directory) }
  var files: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    guard let number = Int32(name), number != dirfd(directory) else { continue }
    var target = [CChar](repeating: 0, count: 256)
    guard readlink("/proc/\(pid)/fd/\(number)", &target, target.count - 1) >= 0 else { continue }
    let end = target.firstIndex(of: 0) ?? target.endIndex
    files.append("\(number) \(String(decoding: target[..<end].lazy.map(UInt8.init(bitPattern:)), as: UTF8.self))")
  }
  return files
}
