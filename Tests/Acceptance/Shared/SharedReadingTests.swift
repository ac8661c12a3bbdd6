import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Says how often it was encoded, and how often its process has made one of them: of values that are decoded once, that is once.
private struct DecodedOnce: Codable, Sendable {
  var text: String
  var encodings: SharedCounter
  var decodings: SharedCounter

  init(text: String, encodings: SharedCounter, decodings: SharedCounter) {
    self.text = text
    self.encodings = encodings
    self.decodings = decodings
  }

  init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    text = try container.decode(String.self)
    encodings = try container.decode(SharedCounter.self)
    decodings = try container.decode(SharedCounter.self)
    decodings.increment()
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    try container.encode(text)
    try container.encode(encodings)
    try container.encode(decodings)
    encodings.increment()
  }
}

private struct ReadsShared: StatelessWorker, Codable {
  var text: Shared<DecodedOnce>

  func process(_ item: Shared<[Int]>) -> String { "\(text.value.text) \(item.value.count)" }
}

private struct Spoiled: Error {}

private struct ReadsAt: StatelessWorker, Codable {
  var bytes: SharedBytes
  func process(_ offset: Int) -> UInt8 { bytes[offset] }
}

private struct AddsShared: StatelessWorker, Codable {
  var counter: SharedCounter
  func process(_ item: Int) -> Int { counter.add(item) }
}

private struct SumsShared: StatelessWorker {
  func process(_ bytes: SharedBytes) throws -> SharedBytes {
    let sum = bytes.reduce(0) { $0 &+ $1 }
    return try SharedBytes([sum, UInt8(bytes.count & 0xff), UInt8(bytes.startIndex & 0xff)])
  }
}

private struct DoublesShared: StatelessWorker, Codable {
  var from: SharedQueue<String>
  var to: SharedQueue<[String]>

  func process(_ item: Int) throws -> Int {
    var count = 0
    while let text = try from.pop() {
      try to.push([text, text])
      count += 1
    }
    return count
  }
}

extension Checked {
  /// What all workers read, and what goes through queues.
  @Suite(.timeLimit(.minutes(1))) struct SharedReading {
    @Test("a value is encoded once and decoded at most once in a process", arguments: Sharing.backends)
    func decodedOnce(backend: WorkerPool.Backend) async throws {
      let (encodings, decodings) = (try SharedCounter(), try SharedCounter())
      let text = Shared(DecodedOnce(text: "once", encodings: encodings, decodings: decodings))
      let numbers = Shared([1, 2, 3])
      try await withWorkerPool(backend) { pool in
        for _ in 0..<2 {
          let found = try await pool.map([Shared<[Int]>](repeating: numbers, count: 100), with: ReadsShared(text: text))
          #expect(found == [String](repeating: "once 3", count: 100))
        }
      }
      let width = Sharing.processes.contains { "\($0)" == "\(backend)" } ? 4 : 0
      #expect(decodings.value <= width)
      // For however many maps and workers.
      #expect(encodings.value <= min(width, 1))
      if decodings.value > 0 { #expect(encodings.value == 1) }
    }

    @Test(
      "a forked worker that was given it in a closure has the value itself: it is neither encoded nor decoded", .forks)
    func copyOnWrite() async throws {
      let (encodings, decodings) = (try SharedCounter(), try SharedCounter())
      let text = Shared(DecodedOnce(text: "once", encodings: encodings, decodings: decodings))
      for options in [WorkerPool.ProcessOptions(), WorkerPool.ProcessOptions(start: .fork)] {
        try await withWorkerPool(.processes(2, options)) { pool in
          let found = try await pool.map(0..<10) { item in "\(text.value.text) \(item)" }
          #expect(found == (0..<10).map { "once \($0)" })
        }
      }
      #expect(encodings.value == 0 && decodings.value == 0)
    }

    @Test("bytes that a closure writes; what it throws; views of them")
    func written() throws {
      let bytes = try SharedBytes(count: 1_000) { place in
        #expect(place.count == 1_000 && place.allSatisfy { $0 == 0 })
        for index in place.indices { place[index] = UInt8(truncatingIfNeeded: index) }
      }
      #expect(bytes.elementsEqual((0..<1_000).map { UInt8(truncatingIfNeeded: $0) }))
      let seen = bytes[10..<20].withSpan { span in (span.count, span[0], span[9]) }
      #expect(seen == (10, 10, 19))
      #expect(try bytes[5..<5].withSpan { $0.isEmpty } && SharedBytes(count: 0) { _ in }.isEmpty)
      #expect(throws: Spoiled.self) { try SharedBytes(count: 8) { _ in throw Spoiled() } }
      #expect(throws: Spoiled.self) { try bytes.withSpan { _ throws(Spoiled) in throw Spoiled() } }
    }

    @Test("a file that is made shorter costs the items that read behind its end, and no other", .forks)
    func shorter() async throws {
      let path = NSTemporaryDirectory() + "/millrace-shorter-\(UUID().uuidString)"
      try Data(repeating: 7, count: 1 << 20).write(to: URL(filePath: path))
      defer { unlink(path) }
      let bytes = try SharedBytes(contentsOf: path)
      #expect(truncate(path, 8_192) == 0)
      try await withWorkerPool(.processes(2)) { pool in
        var lost: [Int] = []
        for try await outcome in pool.outcomes(
          of: [0, 500_000, 1, 8_191, 2], with: ReadsAt(bytes: bytes), options: MapOptions(chunking: .size(1)))
        {
          switch outcome.result {
          case .success(let byte): #expect(byte == 7)
          case .failure(let failure):
            lost.append(outcome.input)
            guard case .crashed(let crash) = failure.cause else {
              Issue.record("\(failure)")
              continue
            }
            #expect(crash.signal == SIGBUS, "\(failure)")
          }
        }
        #expect(lost == [500_000])
      }
    }

    @Test("a number to add to, from all workers", arguments: Sharing.backends)
    func adding(backend: WorkerPool.Backend) async throws {
      let counter = try SharedCounter(5)
      #expect(counter.add(3) == 8 && counter.add(-10) == -2 && counter.add(2) == 0)
      try await withWorkerPool(backend) { pool in
        let found = try await pool.map(1...100, with: AddsShared(counter: counter))
        #expect(counter.value == 5_050 && found.max() == 5_050 && Set(found).count == 100)
      }
      counter.value = .max
      #expect(counter.add(1) == .min)
    }

    @Test(
      "bytes of a file and of memory, and slices of them; what a worker makes comes back", arguments: Sharing.backends)
    func bytes(backend: WorkerPool.Backend) async throws {
      let path = NSTemporaryDirectory() + "/millrace-bytes-\(UUID().uuidString)"
      let content = (0..<100_001).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      try Data(content).write(to: URL(filePath: path))
      defer { unlink(path) }
      let all = try [SharedBytes(contentsOf: path), SharedBytes(content)]
      #expect(all[0].elementsEqual(content) && all[0].count == 100_001 && all[1].elementsEqual(content))
      try await withWorkerPool(backend) { pool in
        for bytes in all {
          let pieces = try bytes.pieces(of: 4_099)
          let outputs = try await pool.map(pieces, with: SumsShared())
          let expected = pieces.map { piece in
            [
              content[piece.startIndex..<piece.endIndex].reduce(0, &+), UInt8(piece.count & 0xff),
              UInt8(piece.startIndex & 0xff),
            ]
          }
          #expect(outputs.map(Array.init) == expected)
        }
      }
    }

    @Test("files that are none are refused, and an empty one is empty")
    func files() throws {
      let missing = #expect(throws: SystemError.self) { try SharedBytes(contentsOf: "/nowhere/at all") }
      #expect(missing?.code == ENOENT && "\(missing!)".contains("/nowhere/at all"))
      #expect(throws: SystemError.self) { try SharedBytes(contentsOf: "/dev/null") }
      #expect(throws: SystemError.self) { try SharedBytes(contentsOf: "/") }
      let path = NSTemporaryDirectory() + "/millrace-empty-\(UUID().uuidString)"
      try Data().write(to: URL(filePath: path))
      defer { unlink(path) }
      #expect(try SharedBytes(contentsOf: path).isEmpty)
    }

    @Test("queues between the program and its workers lose nothing, and double nothing", arguments: Sharing.wide)
    func queues(backend: WorkerPool.Backend) async throws {
      let from = try SharedQueue<String>(capacity: 10)
      let to = try SharedQueue<[String]>(capacity: 7, bytes: 4_096)
      let texts = (0..<500).map { String(repeating: "\($0 % 10)", count: $0 % 300) + " \($0)" }
      async let found = onPlainThread {
        var found: [[String]] = []
        while let pair = try to.pop() { found.append(pair) }
        return found
      }
      async let fed: Void = onPlainThread {
        for text in texts { try from.push(text) }
        from.close()
      }
      try await withWorkerPool(backend) { pool in
        let counts = try await pool.map(
          0..<2, with: DoublesShared(from: from, to: to), options: MapOptions(chunking: .size(1)))
        #expect(counts.reduce(0, +) == 500)
      }
      to.close()
      try await fed
      #expect(Set(try await found) == Set(texts.map { [$0, $0] }))
    }

    @Test("a queue is bounded in elements and in bytes, and says when it is closed")
    func bounds() throws {
      let queue = try SharedQueue<String>(capacity: 2, bytes: 200)
      #expect(try queue.push("a") && queue.push("b"))
      #expect(try !queue.push("c", within: .milliseconds(1)))
      #expect(try queue.pop() == "a" && queue.count == 1)
      #expect(try !queue.push(String(repeating: "x", count: 190), within: .zero))
      #expect(throws: TransportError.self) { try queue.push(String(repeating: "x", count: 200)) }
      queue.close()
      #expect(try !queue.push("d") && queue.isClosed)
      #expect(try queue.pop() == "b" && queue.pop() == nil && queue.pop(within: .zero) == nil)
      let arrays = try SharedQueue<SharedArray<Int>>(capacity: 2)
      let error = #expect(throws: TransportError.self) { try arrays.push(SharedArray(count: 1)) }
      #expect(error?.kind == .sharedObject && "\(error!)".contains("SharedArray<Swift.Int>"))
    }
  }
}
