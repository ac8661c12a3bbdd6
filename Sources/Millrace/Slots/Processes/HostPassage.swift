import MillraceIPC

/// The shared objects that come to a lane of a worker process and go from it.
///
/// Belongs to the lane's thread.
final class HostPassage: SharedCarrier, @unchecked Sendable {
  private let lane: Int
  private unowned let process: HostProcess
  /// What the outputs are of that are being encoded; the greatest number if it is something else.
  private var chunk: UInt64 = .max
  /// The objects whose descriptors have gone with it.
  private var sent: Set<SharedID> = []

  init(lane: Int, of process: HostProcess) {
    self.lane = lane
    self.process = process
  }

  private lazy var passage = SharedPassage(self)

  /// From here on, what the calling thread encodes and decodes goes by this.
  func stay() { passage.stay() }

  func begin(chunk: UInt64 = .max) {
    self.chunk = chunk
    if !sent.isEmpty { sent = [] }
  }

  func carry(_ block: SharedBlock) throws {
    guard !sent.contains(block.token.id) else { return }
    KillPoint.workerSendsShared.reach()
    try process.announce(block.token, lane: lane, chunk: chunk, try block.descriptorToSend())
    KillPoint.workerSentShared.reach()
    sent.insert(block.token.id)
  }

  func find(_ token: SharedToken) throws -> SharedBlock {
    KillPoint.workerMapsShared.reach()
    return try process.objects.find(token)
  }
}
