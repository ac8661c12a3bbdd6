import Initialiser
import Millrace

#if canImport(Glibc)
import Glibc
#endif

/// A program that uses Millrace, for the cases in which one is interrupted, killed, or read by another.
///
/// `AcceptanceProgram <scene> <backend>`; what it prints is for the test that runs it.
@main
enum AcceptanceProgram {
  static func main() async throws {
    initialiser_link()
    let words = CommandLine.arguments
    guard words.count >= 3, let backend = backends[words[2]] else { exit(64) }
    do {
      switch words[1] {
      case "interrupted": try await interrupted(backend)
      case "stubborn": try await stubborn(backend)
      case "deaf": try await deaf(backend)
      case "piped": try await piped(backend, isStubborn: words.count > 3)
      case "killed": try await killed(backend)
      case "prints": try await prints(backend)
      case "lastWords": try await lastWords(backend)
      case "faulted": try await faulted(words[2], retries: words.count > 3 ? Int(words[3]) ?? 0 : 3)
      case "patient": try await patient(backend)
      case "adds": try await adds(backend)
      case "cramped":
        try await cramped(
          words[2], Int32(words[3]) ?? 0, width: words.count > 4 ? Int(words[4]) ?? 0 : 4, isHeld: words.last == "held")
      case "objects": try await crowdedWithObjects(backend, Int32(words[3]) ?? 0)
      case "nestedBars": try await nestedBars(backend)
      case "silent": try await silent(backend)
      case "bars": try await bars(backend)
      case "brief": try await brief(backend)
      case "bound": try await bound(backend)
      case "handled": try await handled(backend, late: words.count > 3)
      case "bare": try await bare(backend, words[3])
      case "limited": try await limited(words[2], Int(words[3]) ?? 0)
      case "reaped": try await reaped(backend, words[3])
      case "ends": try await ends(backend, words[3], words[4])
      case "moves": try await moves(backend)
      case "copied": try await copied(backend, words[3])
      case "stuck": try await stuck(backend)
      case "careless": try await careless(backend, words[3], isReplaced: words.count > 4)
      case "narrow": try await narrow(words[2] == "spawn" ? .spawn : .forkServer)
      case "closed": try await closed(backend, words[3])
      case "first": try await first(backend)
      case "commands": try await commands(backend, words[3])
      case "keeps": try await keeps(words[3] == "true")
      case "exhausted": try await exhausted(words[3])
      case "printed": try await printed(backend)
      case "printsNowhere": try await printsNowhere(backend, isClosed: words[3] == "closed")
      case "bulky": try await bulky()
      default: exit(64)
      }
    } catch let interruption as Interrupted {
      say("interrupted")
      exit(interruption.exitCode)
    }
  }

  static let backends: [String: WorkerPool.Backend] = [
    "serial": .serial, "tasks": .tasks(2), "threads": .threads(2),
    "forkServer": .processes(2), "spawn": .processes(2, WorkerPool.ProcessOptions(start: .spawn)),
    "fork": .processes(2, WorkerPool.ProcessOptions(start: .fork)),
  ]

  static func say(_ line: String) {
    let line = line + "\n"
    _ = line.withCString { write(1, $0, strlen($0)) }
  }

  /// Maps without some of the standard descriptors, whose numbers stay free: whoever reads them takes nothing of the pool's.
  static func bare(_ backend: WorkerPool.Backend, _ path: String) async throws {
    let missing = (Int32(0)...2).filter { fcntl($0, F_GETFD) < 0 }
    guard !missing.isEmpty else { exit(1) }
    // Dispatch takes the first numbers that it finds for its own, which is not for us to mend: it is to have them by now.
    for _ in missing { _ = open("/dev/null", O_RDWR) }
    // A sleep that is over before it is looked at needs no timer, and leaves Dispatch without one.
    var pause = Duration.milliseconds(1)
    while !(0..<64).contains(where: { target(of: $0) == "anon_inode:[timerfd]" }) {
      try await Task.sleep(for: pause)
      pause = pause * 2
    }
    openMainQueue()
    for number in missing { close(number) }
    try await withWorkerPool(backend) { pool in
      for _ in 0..<10 {
        let outputs = try await pool.map(0..<100, with: Successor(), options: MapOptions(chunking: .size(10)))
        guard outputs == (0..<100).map({ $0 + 1 }) else { exit(2) }
        guard missing.allSatisfy(isNothing) else { exit(3) }
      }
    }
    let file = open(path, O_WRONLY | O_APPEND)
    guard write(file, "right\n", 6) == 6 else { exit(4) }
  }

  /// Whether a number is free, or has a file that somebody reads for a moment, as the C library does: nothing of a pool's.
  static func isNothing(_ number: Int32) -> Bool {
    let file = target(of: number)
    return !["/memfd:", "socket:", "pipe:", "anon_inode:"].contains { file.hasPrefix($0) }
  }

  /// What a number stands for; empty if it is free.
  static func target(of number: Int32) -> String {
    var text = [UInt8](repeating: 0, count: 64)
    let count = readlink("/proc/self/fd/\(number)", &text, text.count)
    return String(decoding: text.prefix(max(count, 0)), as: UTF8.self)
  }

  /// A map over an input without an end.
  static func interrupted(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      try await withShutdownSignals(ending: pool) {
        let outputs = pool.outputs(
          of: sequence(first: 0) { $0 + 1 }, with: Brief(), options: MapOptions(chunking: .size(1)))
        for try await output in outputs where output == 10 { say("running") }
      }
    }
  }

  /// A map whose items end by cancellation only, or never.
  static func stubborn(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      try await withShutdownSignals(ending: pool) {
        try await pool.forEach(0..<100, with: Endless(), options: MapOptions(chunking: .size(1)))
      }
    }
  }

  /// A pipeline without an end whose stages have slots of their own, all of them. It says at its end whether what was read has come
  /// through.
  static func piped(_ backend: WorkerPool.Backend, isStubborn: Bool) async throws {
    try await withWorkerPool(backend) { pool in
      try await withShutdownSignals(ending: pool) {
        if isStubborn {
          return try await Pipeline<Int, Void> { Parallel(2) { Endless() } }.run(of: 0..<100, on: pool)
        }
        let pipeline = Pipeline<Int, Int> {
          Parallel(2) { Brief() }
          Serial { Brief() }
        }
        var next = 0
        do {
          for try await output in pipeline.outputs(of: 0..., on: pool) {
            if output == next { next += 1 }
            if output == 10 { say("running") }
          }
        } catch let error as PipelineError {
          say("in order: \(next > 10), for: \(error.underlying.map { "\($0)" } ?? "")")
        }
      }
    }
  }

  /// A program that does not come to its end when its map does.
  static func deaf(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      try await withShutdownSignals(ending: pool) {
        try? await pool.forEach(0..<100, with: Endless(), options: MapOptions(chunking: .size(1)))
        sleep(60)
      }
    }
  }

  /// Idle workers and busy ones, until somebody ends the program.
  static func killed(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      let outputs = pool.outputs(of: [0, 0, 1, 1], with: Pid(), options: MapOptions(chunking: .size(1)))
      for try await pid in outputs { say("\(pid)") }
    }
  }

  /// Workers that print at the same time, in pieces.
  static func prints(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      try await pool.forEach(0..<200, with: Printing(), options: MapOptions(chunking: .size(1)))
    }
    say("over")
  }

  /// Workers that print once, when they are torn down.
  static func lastWords(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      try await pool.forEach(0..<8, with: LastWords(), options: MapOptions(chunking: .size(1)))
    }
    say("over")
  }
}

struct Successor: StatelessWorker {
  func process(_ item: Int) -> Int { item + 1 }
}

struct LastWords: Worker {
  func setUp(_ context: WorkerContext) -> Int { context.slot }
  func process(_ item: Int, state: inout Int) { usleep(1_000) }
  func tearDown(_ state: Int) { print("slot \(state) ends") }
}

/// Takes a millisecond.
struct Brief: StatelessWorker {
  func process(_ item: Int) -> Int {
    usleep(1_000)
    return item
  }
}

/// Says that it runs, then goes on until it is cancelled; in a worker process for ever.
struct Endless: Worker {
  func setUp(_ context: WorkerContext) -> WorkerContext { context }
  func process(_ item: Int, state: inout WorkerContext) {
    AcceptanceProgram.say("running")
    while !state.isCancelled { usleep(1_000) }
  }
}

/// The worker's process number, at once or after a long while.
struct Pid: StatelessWorker {
  func process(_ item: Int) -> Int32 {
    if item > 0 { sleep(60) }
    return getpid()
  }
}

struct Printing: StatelessWorker {
  func process(_ item: Int) {
    print("item", item, separator: " ", terminator: "")
    for part in 0..<20 { print(" part", part, terminator: "") }
    print(" end")
  }
}
