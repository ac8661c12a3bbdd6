import Foundation
import Logging
import Millrace
import MillraceTesting
import Synchronization
import TestSupport
import Testing

/// Hears nothing more than the first record until it is opened.
private struct SlowEar: LogHandler {
  let came: CommonCounter
  let isOpen: CommonCounter
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    came.increment()
    while isOpen.value == 0 { Thread.sleep(forTimeInterval: 0.001) }
  }
}

/// Says something of each kind.
private struct Talker: Worker, Codable {
  func setUp(_ context: WorkerContext) -> WorkerContext { context }
  func process(_ item: Int, state context: inout WorkerContext) -> String {
    context.logger.debug("not of interest")
    context.logger.error("an error,\nof 100% in two lines", metadata: ["item": "\(item)", "odd": "a=\u{1f}b"])
    FileHandle.standardError.write(Data("half a line, ".utf8))
    context.logger.notice("behind it")
    return context.logger.label
  }
}

/// Says much, with a logger that it has from its set-up.
private struct Chatty: Worker, Codable {
  static let records = 200

  struct Mouth {
    var logger: Logger
    var count = 0
  }

  func setUp(_ context: WorkerContext) -> Mouth {
    context.logger.info("begun")
    var logger = context.logger
    logger[metadataKey: "by"] = "the worker"
    return Mouth(logger: logger)
  }

  func process(_ item: Int, state mouth: inout Mouth) {
    for _ in 0..<Self.records {
      mouth.logger.info("record \(mouth.count) of item \(item), \(String(repeating: "x", count: 100))")
      mouth.count += 1
    }
  }

  func tearDown(_ mouth: Mouth) { mouth.logger.info("over") }
}

extension Faults {
  /// What is heard of workers, and how often.
  @Suite(.forks) struct Logs {
    @Test(
      "U33: what a worker's logger says is what the program's says",
      arguments: [
        WorkerPool.Backend.processes(1), WorkerPool.Backend.processes(1, WorkerPool.ProcessOptions(start: .spawn)),
        .processes(1, WorkerPool.ProcessOptions(start: .fork)),
      ])
    func u33(backend: WorkerPool.Backend) async throws {
      let heard = Heard()
      let logger = heard.logger(label: "the program's", metadata: ["request": "7"])
      try await withWorkerPool(backend, logger: logger) { pool async throws in
        #expect(try await pool.map([5], with: Talker()) == ["the program's"])
      }
      let lines = heard.lines
      #expect(lines.map(\.level) == [.error, .info, .notice], "\(lines)")
      #expect(lines.map(\.message) == ["an error,\nof 100% in two lines", "half a line, ", "behind it"])
      #expect(lines.first?.metadata == ["request": "7", "slot": "0", "item": "5", "odd": "a=\u{1f}b"])
    }

    @Test("U33: a worker's logger speaks from the program's level on")
    func u33Level() async throws {
      let heard = Heard()
      try await withWorkerPool(.processes(1), logger: heard.logger(.debug)) { pool async throws in
        _ = try await pool.map([5], with: Talker())
      }
      let isHeard = heard.lines.contains { $0.level == .debug && $0.message == "not of interest" }
      #expect(isHeard)
    }

    @Test(
      "U177: a record that is too long for one line is cut, and is a record all the same", arguments: [false, true])
    func long(isInMetadata: Bool) async throws {
      let heard = Heard()
      try await withWorkerPool(.processes(1), logger: heard.logger()) { pool async throws in
        _ = try await pool.map([3_000_000]) { size in
          let long = String(repeating: "é\n", count: size / 3)
          WorkerContext.current?.logger.warning(
            isInMetadata ? "short" : "\(long)", metadata: ["more": isInMetadata ? "\(long)" : "as it was"])
        }
      }
      let lines = heard.lines
      #expect(lines.count == 1 && lines.first?.level == .warning && lines.first?.metadata["item"] == "0")
      let (message, more) = (lines.first?.message ?? "", lines.first?.metadata["more"] ?? "")
      let cut = isInMetadata ? more : message
      #expect(cut.hasPrefix("é\né\n") && cut.hasSuffix("… (of 3000000 bytes)") && cut.utf8.count < 1 << 20)
      #expect(isInMetadata ? message == "short" : more == "as it was")
    }

    @Test(
      "while the program's handler takes its time, whoever logs waits: nothing piles up, and nothing is lost",
      .timeLimit(.minutes(1)), arguments: [WorkerPool.Backend.processes(1), Backends.forking])
    func bounded(backend: WorkerPool.Backend) async throws {
      let (came, isOpen, said) = (CommonCounter(), CommonCounter(), CommonCounter())
      let count = 15_000
      let logger = Logger(label: "slow") { _ in SlowEar(came: came, isOpen: isOpen) }
      try await withWorkerPool(backend, logger: logger) { pool async throws in
        let map = Task {
          try await pool.map([0]) { _ in
            for number in 0..<count {
              WorkerContext.current?.logger.info("record \(number), \(String(repeating: "x", count: 200))")
              said.increment()
            }
          }
        }
        await came.wait(for: 1)
        // Until the worker has stood still for a while.
        var before = -1
        while before != said.value {
          before = said.value
          try await Task.sleep(for: .milliseconds(200))
        }
        // The pipe holds a MiB at the most, each record is more than 200 bytes.
        #expect(before < 6_000 && came.value == 1)
        isOpen.set(1)
        _ = try await map.value
      }
      #expect(said.value == count && came.value == count)
    }

    @Test(
      "what workers log names slot and item, comes in order, and is all there",
      arguments: [WorkerPool.Backend.processes(2), Backends.forking])
    func records(backend: WorkerPool.Backend) async throws {
      let heard = Heard()
      try await withWorkerPool(backend, logger: heard.logger(metadata: ["request": "7"])) { pool async throws in
        // More than pipes hold.
        _ = try await pool.map(0..<8, with: Chatty(), options: MapOptions(chunking: .size(1)))
      }
      let lines = heard.lines.filter { $0.message.hasPrefix("record ") }
      #expect(lines.count == 8 * Chatty.records)
      // Each says itself from where it is, and how many its worker had said before.
      var counts: [String: Int] = [:]
      for line in lines {
        let slot = try #require(line.metadata["slot"])
        let item = try #require(line.metadata["item"])
        #expect(line.message.hasPrefix("record \(counts[slot, default: 0]) of item \(item), "))
        #expect(line.metadata["request"] == "7" && line.metadata["by"] == "the worker")
        counts[slot, default: 0] += 1
      }
      let unplaced = heard.lines.filter { $0.message == "begun" || $0.message == "over" }
      #expect(!unplaced.isEmpty && unplaced.allSatisfy { $0.metadata["item"] == nil && $0.metadata["slot"] != nil })
    }

    @Test("U21: a crash is one line, with its item and cause; its backtrace is for whoever wants details", .backtraces)
    func u21Crash() async throws {
      for level in [Logger.Level.info, .debug] {
        let heard = Heard()
        let process = WorkerPool.ProcessOptions(environment: Backtraces.named)
        try await withWorkerPool(.processes(1, process), logger: heard.logger(level)) { pool async throws in
          let options = MapOptions(chunking: .size(2))
          #expect(
            try await pool.map(0..<8, with: Accident(deeds: [3: .trap]), onFailure: .skip, options: options).count == 7)
        }
        let lines = heard.lines.filter { $0.level > .debug }
        #expect(lines.count == 1, "\(lines)")
        let line = try #require(lines.first)
        #expect(line.level == .warning && line.metadata["slot"] == "0")
        #expect(line.message.hasPrefix("item 3, attempt 1: the worker trapped (SIG"), "\(line.message)")
        #expect(line.message.contains("Fatal error: an accident"))
        let isTraced = heard.lines.contains { $0.message.contains("Accident.Deed.perform()") }
        #expect(isTraced == (level == .debug))
      }
    }

    @Test("of an item of a pipeline the log says in which stage it was")
    func stage() async throws {
      let heard = Heard()
      try await withWorkerPool(.processes(1), logger: heard.logger(.debug)) { pool async throws in
        let pipeline: Pipeline<Int, Int> = Pipeline {
          Pipeline<Int, Int> { Accident(deeds: [:]) }.options(StageOptions(name: "first"))
          // Its items are doubled.
          Pipeline<Int, Int> { Accident(deeds: [6: .exitAtOnce]) }
            .options(StageOptions(name: "second", onFailure: .skip))
        }
        #expect(try await pipeline.list(of: 0..<8, on: pool).count == 7)
      }
      let lines = heard.lines.filter { $0.message.contains("item 3") }
      #expect(lines.count == 2 && lines.allSatisfy { $0.metadata["stage"] == "second" }, "\(lines)")
    }

    @Test(
      "U33: an exit, a kill and a limit that was passed are one line each, with their item",
      arguments: [
        (
          Accident.Deed.exitAtOnce,
          "item 3, attempt 1: the worker exited with code 3; it is replaced when there is work"
        ),
        (
          .killItself,
          "item 3, attempt 1: the worker was killed from outside (SIGKILL); it is replaced when there is work"
        ),
        (.hang, "item 3, attempt 1: took longer than 0.2 seconds; its worker was ended, and is replaced"),
      ])
    func u33Ends(deed: Accident.Deed, text: String) async throws {
      let heard = Heard()
      let backend = WorkerPool.Backend.processes(1, WorkerPool.ProcessOptions(grace: .milliseconds(50)))
      try await withWorkerPool(backend, logger: heard.logger()) { pool async throws in
        let options = MapOptions(
          chunking: .size(2),
          timeouts: MapOptions.Timeouts(item: deed == .hang ? .milliseconds(200) : nil))
        #expect(
          try await pool.map(0..<8, with: Accident(deeds: [3: deed]), onFailure: .skip, options: options).count == 7)
      }
      #expect(heard.lines.map(\.message) == [text])
      #expect(heard.lines.map(\.level) == [.warning])
    }

    @Test(
      "U21: a map that is given up, and a pool that ends, are no news",
      arguments: [WorkerPool.Backend.processes(2), Backends.forking])
    func u21Quiet(backend: WorkerPool.Backend) async throws {
      let heard = Heard()
      try await withWorkerPool(backend, logger: heard.logger()) { pool async throws in
        for try await output in pool.outputs(of: 0..<1_000, with: Accident(deeds: [:])) where output == 8 { break }
        await #expect(throws: ItemFailure.self) {
          _ = try await pool.map(
            0..<20, with: Accident(deeds: [3: .throwError, 4: .hang]), options: MapOptions(chunking: .size(1)))
        }
      }
      #expect(heard.lines.isEmpty, "\(heard.lines)")
    }
  }
}
