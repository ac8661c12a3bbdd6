import MillraceIPC

/// A worker process as the pool has it. Belongs to the control thread.
final class WorkerProcess {
  let token: UInt64
  let control: ControlSocket
  /// The worker that it was forked for; nil: it takes any.
  let forkedFor: WorkerKey?
  /// The slots that it serves.
  let group: Int
  var child: ChildProcess?
  /// Whether the fork server reaps it.
  let isServers: Bool
  var lanes: [RemoteLane] = []
  private var nextLane = 0
  let errors: Descriptor
  var errorTail = TailBuffer()
  var errorLines = LineRelay()
  /// When SIGKILL follows; nil: it was not told to end.
  var killAt: UInt64?
  var isKilledByUs = false
  /// No more lanes: it ends, or has been told to.
  var isEnding = false
  /// What it said that cannot be; it is ended for it.
  var problem: (any Error)?

  init(
    token: UInt64, control: consuming ControlSocket, forkedFor: WorkerKey?, group: Int, isServers: Bool,
    errors: consuming Descriptor
  ) {
    self.token = token
    self.control = control
    self.forkedFor = forkedFor
    self.group = group
    self.isServers = isServers
    self.errors = errors
  }

  /// Opens a lane for a slot.
  func addLane(slot: Int, generation: Int, capacity: Int, cpus: [Int32], bell: Int32) throws -> RemoteLane {
    let lane = try RemoteLane(
      slot: slot, generation: generation, number: nextLane, forkedFor: forkedFor, capacity: capacity)
    nextLane += 1
    try tell(.lane(number: lane.number, slot: slot, cpus: cpus), [lane.lane.descriptor, bell])
    lanes.append(lane)
    return lane
  }

  func tell(_ news: ControlNews, _ descriptors: [Int32] = []) throws {
    // A worker that does not read its socket is stuck, and is not waited for.
    guard try control.trySend(news.bytes, descriptors: descriptors) else {
      throw WireProblem("the worker does not read its control socket")
    }
  }

  /// Takes in the segments that the worker announced.
  func fetchSegments() throws {
    while true {
      guard case .message(var message) = try control.tryReceive() else { return }
      guard case .segment(let number, let id) = try ControlNews(bytes: message.bytes),
        let descriptor = message.takeDescriptor()
      else { throw WireProblem("news of no segment") }
      guard let lane = lanes.first(where: { $0.number == number }) else { continue }
      try lane.adopt(id, descriptor.take())
    }
  }

  /// What the worker last wrote to its standard error.
  var standardError: String { errorTail.text }
}
