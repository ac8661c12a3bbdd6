import MillraceIPC
import Testing

@testable import Millrace

/// The pool's side of a lane, with a worker played by hand.
@Suite struct RemoteLaneTests {
  private struct Echo: StatelessWorker {
    func process(_ item: String) -> String { item }
  }

  /// How long the next chunks get to be hangs on it.
  @Test("U259: the last outputs say how long it took, and how much memory there is, as far as both have room")
  func memoryInTheHeader() {
    for (time, bytes, said) in [
      (5, 20 << 20, 20 << 20), (0, 4_097, 4_096), ((1 << 40) - 1, 0, 0), (7, .max, ((1 << 24) - 1) << 12),
      (7, -1, 0), (1 << 40, 20 << 20, nil), (9, nil, nil),
    ] as [(UInt64, Int?, Int?)] {
      var header = FrameHeader.outputs(3, of: 8, .packed)
      header.makeFinal(nanoseconds: time, memory: bytes)
      #expect(header.nanoseconds == time && header.memory == said)
      #expect(header.count == 3 && header.chunk == 8 && header.frameFlags.isSuperset(of: [.packed, .final]))
    }
    #expect(FrameHeader.chunkDone(8, items: 3, nanoseconds: .max).nanoseconds == .max)
  }

  @Test func theEndOfAChunkIsAboutAllFramesOfItsOutputs() throws {
    let items = (0..<8).map { "\($0)" }
    let record = WorkerRecord(Echo(), key: WorkerKey(1))
    let chunk = Chunk(
      id: 1, job: JobID(1), worker: record.key, seed: 0, range: 0..<8, grain: 8,
      cell: InputCell(base: 0, items: items))
    let lane = try RemoteLane(slot: 0, generation: 1, number: 0, forkedFor: nil, capacity: 1 << 16)
    try lane.send(.chunk(chunk, record)) { _, _ in }

    var worker = WorkerEnd(lane.lane, bell: .futex)
    let request = try #require(try worker.requests.nextClaimed()).header
    #expect(request.count == 8)
    for part in [0..<5, 5..<8] {
      var records = ByteWriter()
      for item in items[part] { Array(item.utf8).withUnsafeBytes { Records.append($0, to: &records) } }
      var header = FrameHeader.outputs(part.count, of: request.chunk)
      if part.upperBound == 8 { header.makeFinal(nanoseconds: 800) }
      #expect(try worker.responses.send(header, records.bytes) != nil)
    }

    var outputs: [String] = []
    while let answer = try lane.next(fetchSegments: {}) {
      switch answer {
      case .done(_, let buffer, let count, let elapsed, _):
        let buffer = try #require(buffer as? OutputBuffer<String>)
        outputs += (0..<8).map { buffer[$0] }
        #expect(count == 8 && elapsed == 800)
      default: Issue.record("\(answer)")
      }
    }
    #expect(outputs == items && lane.work.inFlight.isEmpty)
  }

  /// Frames that change nothing would keep the pool's thread for as long as a worker in a loop writes them.
  @Test func segmentsThatAreNotThereCannotEnd() throws {
    let lane = try RemoteLane(slot: 0, generation: 1, number: 0, forkedFor: nil, capacity: 1 << 16)
    var worker = WorkerEnd(lane.lane, bell: .futex)
    #expect(try worker.responses.send(.retired(7)) != nil)
    #expect(throws: WireProblem.self) { try lane.next(fetchSegments: {}) }
    #expect(try lane.next(fetchSegments: {}) == nil)
  }
}
