import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A worker process as the pool has it. Belongs to the control thread.
final class WorkerProcess {
  let token: UInt64
  private let line: ControlLine
  let sharing: SharedTraffic
  /// The worker that it was forked for; nil: it takes any.
  let forkedFor: WorkerKey?
  /// The slots that it serves.
  let group: Int
  var child: ChildProcess?
  /// Whether the fork server reaps it.
  let isServers: Bool
  var lanes: [RemoteLane] = []
  private var nextLane = 0
  /// What it prints, until it prints something: then it is the relay's.
  var output: Descriptor?
  let errors: Descriptor
  var errorTail = TailBuffer()
  var errorLines = LineRelay()
  /// What it writes now is the stack that Swift shows before a trap.
  var showsStack = false
  /// How long it may take to begin serving; then it is taken to be stuck in its fork, and replaced.
  var patience = WorkerProcess.firstPatience
  /// When its patience is over; nil: it serves, or was not forked from this process.
  var serveBy: UInt64?
  /// When SIGKILL follows; nil: it was not told to end, and does not die.
  var killAt: UInt64?
  /// When it is given up, for not even SIGKILL has ended it, or nobody tells how it ended.
  var goneBy: UInt64?
  /// When what waits for room to send descriptors is tried again; nil: nothing does, or the poller tells.
  var roomBy: UInt64?
  /// What it is to be told when there is room.
  private(set) var unsaid = FIFO<[UInt8]>()
  /// The poller tells when there is room in its control socket.
  var awaitsRoom = false
  var isKilledByUs = false
  /// Its end of the control socket is closed.
  var isCutOff = false
  /// It was killed for that, and for nothing else.
  var isEndedAsLost = false
  /// It was sent SIGTERM.
  var isToldToEnd = false
  /// It was seen to be on its way out, by its own doing.
  var isDying = false
  /// No other slot is to share it.
  var isApart = false
  /// No more lanes: it ends, or has been told to.
  var isEnding = false
  /// It ends as it was told to: nothing is left of it but its end.
  var hasLeft: Bool { isEnding && lanes.isEmpty }
  /// What it said that cannot be; it is ended for it.
  var problem: (any Error)?

  init(
    token: UInt64, control: consuming ControlSocket, forkedFor: WorkerKey?, group: Int, isServers: Bool,
    output: consuming Descriptor, errors: consuming Descriptor
  ) {
    self.token = token
    line = ControlLine(control)
    sharing = SharedTraffic(line)
    self.forkedFor = forkedFor
    self.group = group
    self.isServers = isServers
    self.output = consume output
    self.errors = errors
    sharing.fetch = { [unowned self] in _ = try fetchNews() }
  }

  var control: ControlSocket { _read { yield line.socket } }

  /// From the end of its control socket to its own, where that is not its own doing.
  static let timeToEnd: UInt64 = 100_000_000

  static let firstPatience: UInt64 = 200_000_000
  /// Twice as long each time: the last but one of five is a second and a half.
  static let lastPatience: UInt64 = firstPatience << 4

  /// How long a worker that has marked its crash may take to be gone: the backtrace of a large program takes seconds.
  static let dyingTime: UInt64 = 8_000_000_000

  /// Whether one of its threads has written down that it crashes, or has called `exit`: nothing of it goes on.
  var hasMarkedItsEnd: Bool {
    lanes.contains { CrashReport.hasBegun(at: UnsafeRawPointer($0.lane.crashRecord)) }
  }

  /// Opens a lane for a slot.
  func addLane(slot: Int, generation: Int, capacity: Int, cpus: [Int32], bell: Int32) throws -> RemoteLane {
    let lane = try RemoteLane(
      slot: slot, generation: generation, number: nextLane, forkedFor: forkedFor, capacity: capacity)
    nextLane += 1
    lane.sharing = sharing
    try serve(lane, cpus: cpus, bell: bell)
    return lane
  }

  /// Takes over a lane of which nothing was read yet.
  func serve(_ lane: RemoteLane, cpus: [Int32], bell: Int32) throws {
    lane.lane.endReadingErrors(total: errorTail.totalBytes)
    try tell(.lane(number: lane.number, slot: lane.slot, cpus: cpus), [lane.lane.descriptor, bell])
    lanes.append(lane)
  }

  /// Whether one of its lanes has come to its first request.
  var hasServed: Bool { lanes.isEmpty || lanes.contains { $0.lane.snapshot().heartbeat > 0 } }

  func tell(_ news: ControlNews, _ descriptors: [Int32] = []) throws {
    let bytes = news.bytes
    guard bytes.count > ControlSocket.maximumMessage, descriptors.isEmpty else { return try tell(bytes, descriptors) }
    let memory = try SharedMemory(size: bytes.count, name: "millrace-news")
    let place = try memory.map()
    try place.populate(0..<bytes.count, of: memory)
    bytes.withUnsafeBytes { place.base.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    try tell(ControlNews.elsewhere(bytes: bytes.count).bytes, [memory.descriptor])
  }

  func tell(_ bytes: [UInt8], _ descriptors: [Int32] = []) throws {
    do {
      guard try control.trySend(bytes, descriptors: descriptors) else {
        // It is stuck, and is not waited for.
        throw WireProblem("the worker does not read its control socket")
      }
    } catch let error as SystemCallError where error.code == EPIPE || error.code == ECONNRESET {
      // It is about to die, or nobody can reach it any more. Its end is told by the kernel, with the reason.
      if killAt == nil { killAt = _monotonicNow() &+ 1_000_000_000 }
    }
  }

  /// Tells it something that may come later, when there is room for it.
  func say(_ news: ControlNews) {
    unsaid.append(news.bytes)
    sayMore()
  }

  /// Tells it what there was no room for.
  func sayMore() {
    while let bytes = unsaid.first {
      // That it is gone is told by the kernel.
      if (try? control.trySend(bytes)) == false { return }
      _ = unsaid.popFirst()
    }
  }

  /// Takes in the segments and the shared objects that the worker announced; whether it still is at the other end.
  func fetchNews() throws -> Bool { try fetchNews(for: lanes) }

  func fetchNews(for lanes: [RemoteLane]) throws -> Bool {
    while true {
      switch try control.tryReceive() {
      case .message(var message): try take(ControlNews(bytes: message.bytes), &message, lanes)
      case .nothing: return true
      case .closed: return false
      }
    }
  }

  private func take(_ news: ControlNews, _ message: inout ControlMessage, _ lanes: [RemoteLane]) throws {
    switch news {
    case .segment(let number, let id):
      guard let descriptor = message.takeDescriptor() else { throw WireProblem("news of no segment") }
      // A lane refers to whatever it has announced before it stops.
      guard let lane = lanes.first(where: { $0.number == number }) else { throw WireProblem("a segment of no lane") }
      try lane.adopt(id, descriptor.take())
    case .made(let number, let chunk, let token):
      guard let descriptor = message.takeDescriptor() else { throw WireProblem("news of no object") }
      try sharing.arrived(token, lane: number, chunk: chunk, descriptor.take())
    default: throw WireProblem("news of no segment")
    }
  }

  /// What the worker last wrote to its standard error.
  var standardError: String { LogRecord.readable(errorTail.text) }

  /// What of that was written since the lane's item, set-up or tear-down began. Several threads write to one.
  func standardError(since lane: RemoteLane, of count: Int) -> String {
    let text = LogRecord.readable(errorTail.text(after: lane.lane.errorsWrittenBefore))
    guard count > 1, !text.isEmpty else { return text }
    return "(written by its process since then, in which \(count) workers are)\n" + text
  }
}
