import Logging
import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Four faults that end or hang most pools of processes, on this one: `Scoreboard`.
///
/// 1. The worker of item 5 of 20 is killed.
/// 2. Item 5 of 20 never ends and ignores every signal that it can; the limit is a second.
/// 3. The program is killed while its workers work.
/// 4. Somebody presses Ctrl-C once.
///
/// The exit code is 0 if all four went as they should.
@main
enum Scoreboard {
  static func main() async throws {
    if CommandLine.arguments.count > 1 { try await beTheProgram() }
    let rows = [try await workerKilled(), try await neverEnds(), programKilled(), interrupted()]
    for row in rows { print("\(row.isRight ? "ok  " : "BAD ") \(row.fault): \(row.result)") }
    exit(rows.allSatisfy(\.isRight) ? 0 : 1)
  }

  struct Row {
    let fault: String
    let isRight: Bool
    let result: String
  }

  private static let quiet: Logger = {
    var logger = Logger(label: "scoreboard")
    logger.logLevel = .critical
    return logger
  }()

  // MARK: Workers that misbehave

  private static func workerKilled() async throws -> Row {
    let note = Note()
    defer { note.remove() }
    let (answers, failures) = try await run(Misbehaving(fault: .isKilled, note: note.path), limit: nil)
    let died = note.time
    let ready = answers.map(\.readyAt).filter { $0 > died }.min()
    let pause = ready.map { Double($0 - died) / 1e6 }
    let isRight = answers.count == 19 && failures.count == 1 && pause ?? .infinity <= 50
    let text = pause.map { "ready for work \(rounded($0)) ms after the death" } ?? "no new worker"
    return Row(
      fault: "worker killed on item 5 of 20", isRight: isRight,
      result: "\(answers.count) results, \(failures.count) failure; another worker \(text)")
  }

  private static func neverEnds() async throws -> Row {
    let note = Note()
    defer { note.remove() }
    let limit = Duration.seconds(1)
    let (answers, failures) = try await run(Misbehaving(fault: .neverEnds, note: note.path), limit: limit)
    // The limit, the second of grace between SIGTERM and SIGKILL, and a tenth.
    let late = failures.first.map { Double($0.at - note.time) / 1e6 - 1_000 } ?? .infinity
    return Row(
      fault: "item 5 of 20 never ends and ignores signals, limit 1 s",
      isRight: answers.count == 19 && failures.count == 1 && late <= 1_100,
      result:
        "\(answers.count) results, \(failures.count) failure, \(rounded(late)) ms after its limit (grace 1,000 ms)")
  }

  private static func run(
    _ worker: Misbehaving, limit: Duration?
  ) async throws -> (answers: [Answer], failures: [(at: UInt64, failure: ItemFailure)]) {
    var options = MapOptions(chunking: .size(1))
    options.timeouts.item = limit
    return try await withWorkerPool(.processes(2), logger: quiet) { pool in
      var answers: [Answer] = []
      var failures: [(at: UInt64, failure: ItemFailure)] = []
      for try await outcome in pool.outcomes(of: 0..<20, with: worker, order: .completion, options: options) {
        switch outcome.result {
        case .success(let answer): answers.append(answer)
        case .failure(let failure): failures.append((monotonicNow(), failure))
        }
      }
      return (answers, failures)
    }
  }

  // MARK: A program that is ended from outside

  private static func programKilled() -> Row {
    guard let program = Program() else { return Row(fault: "program killed", isRight: false, result: "did not start") }
    kill(program.process, SIGKILL)
    program.wait()
    let began = monotonicNow()
    var left = program.workers
    while !left.isEmpty, monotonicNow() - began < 5_000_000_000 {
      left.removeAll { !isRunning($0) }
      usleep(1_000)
    }
    let time = Double(monotonicNow() - began) / 1e6
    return Row(
      fault: "program killed", isRight: left.isEmpty && time <= 1_000,
      result: "\(left.count) of \(program.workers.count) workers left after \(rounded(time)) ms")
  }

  private static func interrupted() -> Row {
    guard let program = Program() else { return Row(fault: "Ctrl-C", isRight: false, result: "did not start") }
    let began = monotonicNow()
    kill(program.process, SIGINT)
    let code = program.wait()
    let time = Double(monotonicNow() - began) / 1e6
    let left = program.workers.filter(isRunning).count
    return Row(
      fault: "Ctrl-C", isRight: code == 130 && time <= 1_000 && left == 0,
      result: "drained and ended with code \(code) after \(rounded(time)) ms, \(left) workers left")
  }

  /// The program that is ended: an endless map, which says who works for it.
  private static func beTheProgram() async throws -> Never {
    do {
      try await withWorkerPool(.processes(2), logger: quiet) { pool in
        try await withShutdownSignals(ending: pool) {
          var workers: Set<Int32> = []
          for try await outcome in pool.outcomes(of: 0..., with: Misbehaving(), options: MapOptions(chunking: .size(1)))
          {
            guard let answer = try? outcome.result.get(), workers.insert(answer.process).inserted else { continue }
            print(answer.process)
            fflush(nil)
          }
        }
      }
    } catch let interruption as Interrupted {
      exit(interruption.exitCode)
    }
    exit(1)
  }

  private static func isRunning(_ process: Int32) -> Bool {
    guard let file = fopen("/proc/\(process)/stat", "r") else { return false }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    guard fgets(&line, Int32(line.count), file) != nil, let end = strrchr(line, 41) else { return false }
    // Behind the name in parentheses: a zombie has ended, and waits for whoever adopted it.
    return end[2] != UInt8(ascii: "Z")
  }

  private static func rounded(_ number: Double) -> String {
    number.isFinite ? "\((number * 10).rounded() / 10)" : "no"
  }
}
