import CMillrace
import MillraceIPC

/// Outputs of consecutive items of one chunk, or of several of a batch, on their way to the dispatcher.
struct OutputBatch {
  /// How large the room for them may be.
  static let bytes = 16_384
  /// From this size on, what a frame brings is worth keeping memory for.
  private static let large = 16_384

  let sent: SentChunk
  /// The items that there is room for.
  let room: Range<Int>
  let outputs: OutputStore
  /// The item behind the last that is here.
  var next: Int
  var broken: [(index: Int, error: any Error)] = []

  init(_ sent: SentChunk, _ remote: any RemoteWorker, at index: Int, room count: Int) {
    self.sent = sent
    room = index..<index + count
    outputs = remote.makeOutputs(first: index, count: count)
    next = index
  }

  /// Whether it has room for so many outputs of the chunk from this index on.
  func takes(_ count: Int, at index: Int, of sent: SentChunk) -> Bool {
    self.sent === sent && next == index && index + count <= room.upperBound
  }

  /// Whether it is all that is left of the chunk, and all of it can be read.
  func isEnd(of sent: SentChunk) -> Bool {
    self.sent === sent && next == sent.end && next > room.lowerBound && broken.isEmpty
  }

  var answer: RemoteAnswer {
    if broken.isEmpty { return .outputs(sent, upTo: next, outputs) }
    return .mixed(sent, room.lowerBound..<next, outputs, broken)
  }

  /// Takes in outputs that come as records.
  mutating func decode(_ payload: UnsafeRawBufferPointer, count: Int, at index: Int, keepsMemory: Bool) throws {
    // Values that are copied and freed all the time: fresh pages would cost many times the copies.
    if keepsMemory, payload.count >= Self.large { millrace_memory_keep() }
    let broken = try sent.record.remote.decode(payload, count: count, at: index, into: outputs)
    if !broken.isEmpty { self.broken += broken }
  }

  /// Takes in outputs that come as they lie in memory.
  mutating func copy(_ payload: UnsafeRawBufferPointer, count: Int, at index: Int) throws {
    guard let stride = sent.outputStride else { throw WireProblem("packed outputs of a type without a stride") }
    guard payload.count >= stride * count else {
      throw WireProblem("\(payload.count) bytes for \(count) outputs of \(stride)")
    }
    let place = index - outputs.base
    if let source = payload.baseAddress {
      (outputs.start + place * stride).copyMemory(from: source, byteCount: stride * count)
    }
    outputs.settle(place..<place + count)
  }
}
