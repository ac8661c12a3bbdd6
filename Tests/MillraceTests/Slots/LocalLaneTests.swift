import MillraceIPC
import Testing

@testable import Millrace

@Suite struct LocalLaneTests {
  let core: PoolCore
  let lane: LocalLane
  let chunk = Chunk(
    id: 7, job: JobID(1), worker: WorkerKey(1), seed: 0, range: 0..<2, grain: 2,
    cell: InputCell<Int>(base: 0, items: [1, 2]))

  init() throws {
    core = try WorkerPool(.serial).core
    lane = LocalLane(
      host: core, runaways: Runaways(logger: core.logger), slot: 0, generation: 1, executor: nil)
  }

  private func enter() -> Bool {
    let outputs = OutputBuffer<Int>(base: 0, capacity: 2)
    return lane.enter(LocalLane.Run(chunk: chunk, outputs: outputs, settle: outputs.settle), seed: 0)
  }

  private func take() throws {
    _ = lane.post(.run(chunk))
    guard case .run = lane.next() else { throw CancellationError() }
  }

  @Test("U9: a chunk that was taken, but not begun, can be taken back, and is not begun then")
  func takenBack() throws {
    try take()
    #expect(lane.drop(chunk.id))
    #expect(!enter())
    #expect(!lane.drop(chunk.id))
    try take()
    #expect(enter())
    #expect(!lane.drop(chunk.id))
  }

  @Test("U9: a chunk that was taken, but not begun, is not begun when the worker is written off")
  func writtenOff() throws {
    try take()
    lane.kill()
    #expect(!enter())
  }
}
