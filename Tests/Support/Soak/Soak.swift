import Foundation
import Millrace
import MillraceTesting
import Synchronization
import TestSupport

/// Does what pools are there for, for long, while things go wrong, and looks whether anything is wrong, lost, or grows.
///
/// `Soak <seconds>` maps without a pause while somebody kills, stops and continues the workers and resizes the pool, and
/// compares with what a serial loop makes of the same items. `Soak cycles <count>` makes so many pools, uses and ends them.
/// `Soak pipelines <seconds>` takes what comes of endless sources, and counts what is under way.
/// Exit code 1 if anything was wrong, lost, or has grown.
@main
enum Soak {
  static func main() async throws {
    let words = Array(CommandLine.arguments.dropFirst())
    switch (words.first, words.count) {
    case ("cycles", 2):
      guard let count = Int(words[1]), count > 0 else { usage() }
      try await cycle(count)
    case ("pipelines", 2):
      guard let seconds = Double(words[1]), seconds > 0 else { usage() }
      try await EndlessPipelines.soak(seconds)
    case (let text?, 1):
      guard let seconds = Double(text), seconds > 0 else { usage() }
      try await soak(seconds)
    default: usage()
    }
  }

  private static func usage() -> Never {
    FileHandle.standardError.write(Data("usage: Soak SECONDS | Soak cycles COUNT | Soak pipelines SECONDS\n".utf8))
    exit(64)
  }

  /// Pools of each kind in turn, each made, used and ended.
  private static func cycle(_ count: Int) async throws {
    let quiet = ["SWIFT_BACKTRACE": "enable=no"]
    let backends: [WorkerPool.Backend] = [
      .threads(2), .processes(2, WorkerPool.ProcessOptions(environment: quiet)), .tasks(2),
      .processes(1, WorkerPool.ProcessOptions(start: .fork, environment: quiet)), .serial,
    ]
    var wrong = 0
    var samples: [Sample] = []
    for cycle in 0..<count {
      let outputs = try await withWorkerPool(backends[cycle % backends.count]) { pool in
        try await pool.map(0..<20, with: Mix(), options: MapOptions(chunking: .size(3)))
      }
      if outputs != (0..<20).map(Mix.mixed) { wrong += 1 }
      // What is made once is there after the first tenth.
      if (cycle + 1) % max(1, count / 10) == 0 { samples.append(Sample()) }
    }
    print("cycles: \(count), wrong: \(wrong)")
    end(samples, isRight: wrong == 0)
  }

  /// Says what this program held, and ends it.
  private static func end(_ samples: [Sample], isRight: Bool) -> Never {
    for sample in samples { print(sample) }
    let isFlat = samples.isEmpty || samples.last!.isNoMore(than: samples.first!)
    if !isFlat { print("it has grown") }
    exit(isRight && isFlat ? 0 : 1)
  }

  private static func soak(_ seconds: Double) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    var tally = Tally()
    var samples: [Sample] = []
    try await withWorkerPool(.processes(2, WorkerPool.ProcessOptions(environment: ["SWIFT_BACKTRACE": "enable=no"]))) {
      pool in
      let chaos = Chaos(pool)
      chaos.start()
      var random = SystemRandomNumberGenerator()
      var nextSample = ContinuousClock.now + .seconds(min(10, seconds / 10))
      while ContinuousClock.now < end {
        await tally.add(try round(pool, &random))
        if ContinuousClock.now >= nextSample {
          samples.append(Sample())
          nextSample += .seconds(max(1, seconds / 60))
        }
      }
      chaos.stop()
      print("deeds: \(chaos.summary)")
    }
    print("maps: \(tally.maps), items: \(tally.items), given up: \(tally.givenUp), wrong: \(tally.wrong)")
    Self.end(samples, isRight: tally.wrong == 0 && tally.givenUp == 0 && tally.items > 0)
  }

  /// One map, of a kind that chance picks.
  private static func round(_ pool: WorkerPool, _ random: inout SystemRandomNumberGenerator) async throws -> Tally {
    let count = Int.random(in: 1...20_000, using: &random)
    let first = Int.random(in: 0...1_000_000, using: &random)
    let options = MapOptions(
      retry: .upTo(1_000, maximumCrashes: 1_000),
      timeouts: MapOptions.Timeouts(item: .seconds(2), setUp: .seconds(2), tearDown: .seconds(2)))
    do {
      switch Int.random(in: 0..<3, using: &random) {
      case 0:
        let items = first..<first + count
        let outputs = try await pool.map(items, with: Mix(), options: options)
        return Tally(count, isRight: outputs == items.map(Mix.mixed))
      case 1:
        let items = (0..<count / 10 + 1).map { "\(first + $0)" }
        let outputs = try await pool.map(items, with: Twice(), options: options)
        return Tally(items.count, isRight: outputs == items.map { $0 + $0 })
      default:
        let items = first..<first + count
        let map = Task { try await pool.map(items, with: Mix(), options: options) }
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...20, using: &random)))
        map.cancel()
        let outputs = try? await map.value
        return Tally(outputs?.count ?? 0, isRight: outputs == nil || outputs == items.map(Mix.mixed))
      }
    } catch {
      print("given up: \(error)")
      return Tally(0, isRight: true, isGivenUp: true)
    }
  }
}

struct Twice: StatelessWorker {
  func process(_ item: String) -> String { item + item }
}

/// What came of maps.
struct Tally {
  var maps = 0
  var items = 0
  var wrong = 0
  var givenUp = 0

  init() {}

  init(_ items: Int, isRight: Bool, isGivenUp: Bool = false) {
    maps = 1
    self.items = items
    wrong = isRight ? 0 : 1
    givenUp = isGivenUp ? 1 : 0
  }

  mutating func add(_ other: Tally) {
    maps += other.maps
    items += other.items
    wrong += other.wrong
    givenUp += other.givenUp
  }
}

/// What this program holds.
struct Sample: CustomStringConvertible {
  let residentMiB: Int
  let descriptors: Int
  let threads: Int
  let workers: Int

  init() {
    let pages = ProcFS.text(of: "/proc/self/statm")?.split(separator: " ").dropFirst().first
    residentMiB = ((pages.flatMap { Int($0) } ?? 0) * Int(getpagesize())) >> 20
    descriptors = ProcFS.names(in: "/proc/self/fd").count
    threads = ProcFS.names(in: "/proc/self/task").count
    workers = Chaos.workers().count
  }

  /// Widths vary, and so does what belongs to a worker. What is freed stays in the address sanitizer's quarantine.
  func isNoMore(than other: Sample) -> Bool {
    (residentMiB <= other.residentMiB + 12 || AddressSanitizer.isOn) && descriptors <= other.descriptors + 48
      && threads <= other.threads + 4 && workers <= 8
  }

  var description: String {
    "\(residentMiB) MiB, \(descriptors) descriptors, \(threads) threads, \(workers) workers"
  }
}

/// Kills workers, stops and continues them, and resizes the pool, every 50 ms.
final class Chaos: Sendable {
  private let pool: WorkerPool
  private let isOver = Atomic(false)
  private let kills = Atomic(0)
  private let stops = Atomic(0)
  private let resizes = Atomic(0)

  init(_ pool: WorkerPool) { self.pool = pool }

  var summary: String {
    "\(kills.load(ordering: .relaxed)) kills, \(stops.load(ordering: .relaxed)) stops, "
      + "\(resizes.load(ordering: .relaxed)) resizes"
  }

  func start() { Thread { self.run() }.start() }

  func stop() { isOver.store(true, ordering: .relaxed) }

  private func run() {
    while !isOver.load(ordering: .relaxed) {
      usleep(50_000)
      switch Int.random(in: 0..<10) {
      case 0..<7:
        guard let worker = Self.workers().randomElement(), kill(worker, SIGKILL) == 0 else { continue }
        kills.add(1, ordering: .relaxed)
      case 7..<9:
        guard let worker = Self.workers().randomElement(), kill(worker, SIGSTOP) == 0 else { continue }
        usleep(UInt32.random(in: 1_000...200_000))
        kill(worker, SIGCONT)
        stops.add(1, ordering: .relaxed)
      default:
        guard (try? pool.resize(to: Int.random(in: 1...4))) != nil else { continue }
        resizes.add(1, ordering: .relaxed)
      }
    }
  }

  /// The worker processes of this program, however they are related to it.
  static func workers() -> [pid_t] {
    // What Foundation reads of /proc it does not give back for a while: that would look as if something grew.
    descendants(of: getpid()).filter { ProcFS.text(of: "/proc/\($0)/comm") == "millrace-worker\n" }
  }
}
