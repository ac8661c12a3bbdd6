import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Says how often its process has made one of them: of values that are decoded once, that is once.
private struct DecodedOnce: Codable, Sendable {
  var text: String
  var decodings: SharedCounter

  init(text: String, decodings: SharedCounter) {
    self.text = text
    self.decodings = decodings
  }

  init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    text = try container.decode(String.self)
    decodings = try container.decode(SharedCounter.self)
    decodings.increment()
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    try container.encode(text)
    try container.encode(decodings)
  }
}

private struct ReadsShared: StatelessWorker, Codable {
  var text: Shared<DecodedOnce>

  func process(_ item: Shared<[Int]>) -> String { "\(text.value.text) \(item.value.count)" }
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
      let decodings = try SharedCounter()
      let text = Shared(DecodedOnce(text: "once", decodings: decodings))
      let numbers = Shared([1, 2, 3])
      try await withWorkerPool(backend) { pool in
        for _ in 0..<2 {
          let found = try await pool.map([Shared<[Int]>](repeating: numbers, count: 100), with: ReadsShared(text: text))
          #expect(found == [String](repeating: "once 3", count: 100))
        }
      }
      let width = Sharing.processes.contains { "\($0)" == "\(backend)" } ? 4 : 0
      #expect(decodings.value <= width)
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
