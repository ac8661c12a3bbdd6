#if Cluster
import Foundation
import Millrace
import MillraceCluster
import MillraceTesting
import TestSupport

/// Runs on a cluster of this machine, while whatever takes part in it is killed, stopped and continued: the driver, its agents, their
/// workers, and the server. A driver that is gone is followed by another, which goes on.
///
/// `ClusterSoak SECONDS` makes run after run until that time is over. Exit code 1 if an outcome is missing or wrong, or came twice where no
/// driver was killed with it in hand; if a driver has failed; or if a process or a key is left.
@main
enum ClusterSoak {
  static func main() async throws {
    let words = Array(CommandLine.arguments.dropFirst())
    switch (words.first, words.count) {
    case ("driver", 5):
      guard let count = Int(words[3]) else { usage() }
      try await Driver(url: words[1], job: words[2], count: count, file: words[4]).run()
    case (let text?, 1):
      guard let seconds = Double(text), seconds > 0 else { usage() }
      try await soak(seconds)
    default: usage()
    }
  }

  private static func usage() -> Never {
    FileHandle.standardError.write(Data("usage: ClusterSoak SECONDS\n".utf8))
    exit(64)
  }

  private static func soak(_ seconds: Double) async throws {
    let folder = NSTemporaryDirectory() + "millrace-cluster-soak-\(getpid())"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    let end = ContinuousClock.now + .seconds(seconds)
    var faults: [String] = []
    let stage = try Stage(folder: folder)
    var (runs, items) = (0, 0)
    repeat {
      runs += 1
      let record = try await stage.play("run\(runs)", count: Self.itemsOfRun)
      items += Self.itemsOfRun
      faults += record
    } while ContinuousClock.now < end && faults.isEmpty
    faults += try await stage.leave()
    try FileManager.default.removeItem(atPath: folder)
    print("runs: \(runs), items: \(items), \(stage.deeds)")
    for fault in faults { print(fault) }
    exit(faults.isEmpty ? 0 : 1)
  }

  private static let itemsOfRun = 100_000
}

/// The program with the map.
struct Driver {
  let url: String
  let job: String
  let count: Int
  let file: String

  func run() async throws {
    let file = open(file, O_WRONLY | O_APPEND | O_CLOEXEC)
    guard file >= 0 else { exit(66) }
    let backend = WorkerPool.Backend.cluster(
      engine: .redis(url, job: job), launch: .local(agents: 2), lease: .seconds(2))
    let options = MapOptions(retry: .upTo(1_000, maximumCrashes: 1_000))
    try await withWorkerPool(backend) { pool in
      for try await outcome in pool.outcomes(
        of: 0..<count, with: Mix(), resuming: "mix", order: .completion, options: options)
      {
        let line = [outcome.index, try outcome.output]
        guard line.withUnsafeBytes({ write(file, $0.baseAddress, $0.count) }) == Record.size else { exit(74) }
      }
    }
    close(file)
  }
}

/// What the drivers of a run have had: an index and an output each.
struct Record {
  static let size = 2 * MemoryLayout<Int>.size

  let path: String

  init(_ path: String) {
    self.path = path
    _ = FileManager.default.createFile(atPath: path, contents: nil)
  }

  /// What is wrong with it, if so many drivers were killed, each with one outcome in hand.
  func faults(count: Int, killed: Int) throws -> [String] {
    var times = [Int](repeating: 0, count: count)
    var faults: [String] = []
    try Data(contentsOf: URL(fileURLWithPath: path)).withUnsafeBytes { bytes in
      let words = bytes.bindMemory(to: Int.self)
      for place in stride(from: 0, to: words.count - 1, by: 2) {
        let (index, output) = (words[place], words[place + 1])
        guard times.indices.contains(index), output == Mix.mixed(index) else {
          faults.append("item \(index) has become \(output)")
          continue
        }
        times[index] += 1
      }
    }
    let missing = times.count { $0 == 0 }
    let twice = times.reduce(0) { $0 + max(0, $1 - 1) }
    if missing > 0 { faults.append("\(missing) outcomes are missing") }
    if twice > killed { faults.append("\(twice) outcomes came twice, and \(killed) drivers were killed") }
    return faults
  }
}

/// Where it happens: the server, the driver, and what is done to them.
final class Stage {
  private let folder: String
  private var server: ManagedServer
  private var driver: Process?
  private var counts: [String: Int] = [:]

  init(folder: String) throws {
    self.folder = folder
    server = try ManagedServer(more: Self.settings(folder))
  }

  /// It writes down what it has before it answers: what was said to be noted is there when it comes back.
  private static func settings(_ folder: String) -> [String] {
    ["dir \(folder)", "appendonly yes", "appendfsync everysec"]
  }

  var deeds: String {
    counts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
  }

  /// One run, to its end; what is wrong with it.
  func play(_ job: String, count: Int) async throws -> [String] {
    let record = Record("\(folder)/\(job)")
    var killed = 0
    while true {
      let driver = try start(job, count, record)
      self.driver = driver
      while driver.isRunning {
        try await Task.sleep(for: .milliseconds(Int.random(in: 200...2_000)))
        if driver.isRunning { try await harm() }
      }
      if driver.terminationReason == .exit {
        guard driver.terminationStatus == 0 else {
          return ["a driver of \(job) has ended with exit code \(driver.terminationStatus)"]
        }
        return try record.faults(count: count, killed: killed)
      }
      guard driver.terminationStatus == SIGKILL else {
        return ["a driver of \(job) has died of signal \(driver.terminationStatus)"]
      }
      killed += 1
    }
  }

  private func start(_ job: String, _ count: Int, _ record: Record) throws -> Process {
    let driver = Process()
    driver.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    driver.arguments = ["driver", server.address.url, job, "\(count)", record.path]
    driver.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    try driver.run()
    return driver
  }

  /// Something that happens.
  private func harm() async throws {
    guard let driver = driver?.processIdentifier else { return }
    let below = descendants(of: driver).randomElement()
    switch Int.random(in: 0..<20) {
    case 0..<2: note("drivers killed", kill(driver, SIGKILL))
    case 2..<4:
      await server.end()
      try await Task.sleep(for: .milliseconds(Int.random(in: 0...1_500)))
      server = try ManagedServer(
        port: server.address.port, password: server.address.password, more: Self.settings(folder))
      note("servers killed", 0)
    case 4..<12: if let below { note("agents and workers killed", kill(below, SIGKILL)) }
    case 12..<14: if let below { note("agents and workers told to end", kill(below, SIGTERM)) }
    default:
      guard let below, kill(below, SIGSTOP) == 0 else { return }
      // At times for longer than a lease.
      try await Task.sleep(for: .milliseconds(Int.random(in: 1...3_000)))
      note("agents and workers stopped", kill(below, SIGCONT))
    }
  }

  private func note(_ deed: String, _ code: Int32) { if code == 0 { counts[deed, default: 0] += 1 } }

  /// Ends the server; what is left.
  func leave() async throws -> [String] {
    var faults: [String] = []
    let keys = try keys()
    if !keys.isEmpty { faults.append("keys are left: \(keys)") }
    await server.end()
    // An agent has a moment to see that its driver is gone.
    var left: [String] = []
    for _ in 0..<100 {
      left = processes()
      if left.isEmpty { break }
      try await Task.sleep(for: .milliseconds(100))
    }
    if !left.isEmpty { faults.append("processes are left: \(left)") }
    return faults
  }

  /// Those that do not expire by themselves.
  private func keys() throws -> [String] {
    try ask(["KEYS", "*"]).filter { try ask(["TTL", $0]) == ["-1"] }
  }

  private func ask(_ words: [String]) throws -> [String] {
    let asking = Process()
    asking.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    asking.arguments = ["redis-cli", "-p", "\(server.address.port)"] + words
    asking.environment = ProcessInfo.processInfo.environment.merging(
      ["REDISCLI_AUTH": server.address.password ?? ""]) { $1 }
    let pipe = Pipe()
    asking.standardOutput = pipe
    try asking.run()
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    asking.waitUntilExit()
    guard asking.terminationStatus == 0 else { return ["redis-cli has failed: \(text)"] }
    return text.split(separator: "\n").map(String.init).filter { !$0.isEmpty }
  }

  /// The drivers, agents and workers that there are, whoever their parent is: the folder's name is among their words.
  private func processes() -> [String] {
    ProcFS.names(in: "/proc").filter { Int32($0) != nil && Int32($0) != getpid() }.filter {
      ProcFS.text(of: "/proc/\($0)/cmdline")?.contains(folder) == true
    }
  }
}
#else
/// Without the trait `Cluster` there is nothing to try.
@main
enum ClusterSoak {
  static func main() { print("build it with the trait Cluster") }
}
#endif
