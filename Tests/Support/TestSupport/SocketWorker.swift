import CMillrace
import Logging
import Millrace
import MillraceIPC

/// A worker's process, as the pool has it. A thread of its own starts it, hears it and sees it die.
///
/// Items are encoded and outputs decoded here, by their own code: so one does at a time what it is told, and no lock is held.
final class SocketWorker: @unchecked Sendable {
  private typealias Order = @Sendable (SocketWorker) -> Void

  private struct State {
    var link: (line: FrameLine, process: ChildProcess)?
    var isKilled = false
  }
  let record: WorkerRecord
  private let seat: SocketSeat
  private let state = Lock(State())
  private let orders = OrderQueue<Order>()
  // Sound: these belong to whoever carries out the orders.
  private var work = SentWork()
  /// What it is told when it is there.
  private var unsent: [RemoteFrame] = []
  /// When it last said something, or was asked.
  private var since: UInt64 = 0

  init(_ record: WorkerRecord, in seat: SocketSeat) {
    (self.record, self.seat) = (record, seat)
    ask { [$0.open(record)] }
  }

  private func order(_ order: @escaping Order) {
    orders.accept(order)
    orders.flush { $0(self) }
  }

  func ask(_ question: @escaping @Sendable (inout SentWork) -> [RemoteFrame?]) {
    order { worker in
      worker.since = MonotonicTime.now
      worker.unsent += question(&worker.work).compactMap { $0 }
      guard let line = worker.state.withLock({ $0.link?.line }) else { return }
      // If it is about to die, that is seen elsewhere.
      for frame in worker.unsent { try? line.send(frame) }
      worker.unsent = []
    }
  }

  /// Nil: it does not have the chunk.
  func inspect(_ chunk: Int, then: @escaping @Sendable (Inspection?) -> Void) {
    order { worker in
      then(worker.work.sent(chunk) == nil ? nil : worker.work.inspect(chunk, since: worker.since))
    }
  }

  func kill() {
    let process = state.withLock { state in
      state.isKilled = true
      return state.link?.process
    }
    process?.kill()
  }

  // MARK: Its thread

  func live() {
    let link: (line: FrameLine, process: ChildProcess)
    do { link = try start() } catch { return seat.failed(self, error) }
    state.withLock { $0.link = link }
    if state.withLock({ $0.isKilled }) { link.process.kill() }
    ask { _ in [] }
    do { while let frame = try link.line.receive() { order { $0.hear(frame, link) } } } catch { broke(error) }
    link.process.kill()
    let exit = link.process.waitForEnd()
    order { $0.seat.lost($0, $0.death(exit.reason)) }
  }

  /// Forks it. What other threads hold of the Swift runtime just then may keep it from beginning: then there is another fork.
  private func start() throws -> (FrameLine, ChildProcess) {
    let (slot, surroundings, makeHost) = (seat.slot, seat.surroundings, record.remote.makeHost)
    for patience in [500, 1_000, 2_000, 4_000, 8_000] as [Int32] {
      let pair = try ControlSocket.Pair()
      let process = try Spawner.fork(control: pair.worker.rawValue) { control in
        surroundings.takeOn()
        return SocketHost(FrameLine(control), makeHost).run(slot)
      }
      let line = FrameLine(pair.parent)
      if line.socket.hasNews(within: patience) { return (line, process) }
      process.kill()
      _ = process.waitForEnd()
    }
    throw SystemCallError("fork", 0)
  }

  private func hear(_ frame: RemoteFrame, _ link: (line: FrameLine, process: ChildProcess)) {
    since = MonotonicTime.now
    let answers: [RemoteAnswer]
    do { answers = try work.answers(with: frame) } catch {
      broke(error)
      link.process.kill()
      return
    }
    for answer in answers {
      switch answer {
      case .openFailed, .tornDown: ask { [$0.stop()] }
      case .stopped: link.line.socket.hangUp()
      default: break
      }
    }
    RemoteNews.tell(answers, slot: seat.slot, generation: seat.generation, to: seat.host)
  }

  private func broke(_ error: any Error) {
    seat.host.logger(slot: seat.slot).error("a worker broke the protocol and is ended: \(error)")
  }

  /// Nil, if it has ended in good order.
  private func death(_ reason: ProcessExit.Reason) -> Death? {
    let isKilled = state.withLock { $0.isKilled }
    if work.hasStopped { return nil }
    let cause: ItemFailure.Cause =
      switch reason {
      case .exited(let code): .exited(code: code)
      case .signalled(let signal, _): .crashed(.signal, signal: signal)
      case .unknown: .exited(code: -1)
      }
    return work.death(isKilled ? nil : cause, slot: seat.slot, of: seat.host)
  }
}

/// A worker's process from inside.
private final class SocketHost: HostChannel {
  private let line: FrameLine
  private let makeHost: @Sendable () -> any HostedWorker
  /// Made before it serves: what would hang in a fork hangs while it can still be replaced.
  private let first: Lock<(any HostedWorker)?>

  init(_ line: FrameLine, _ makeHost: @escaping @Sendable () -> any HostedWorker) {
    (self.line, self.makeHost) = (line, makeHost)
    first = Lock(makeHost())
  }

  func run(_ slot: Int) -> Int32 {
    millrace_output_by_lines()
    let host = WorkerHost(self, slot: slot) { Logger(label: "millrace.socket") }
    first.withLock { try? $0?.prepare(on: host) }
    host.serve(isFork: true, hearing: line.receive) { millrace_worker_lost("\($0)") }
    return 0
  }

  func send(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws {
    try line.send(RemoteFrame(header, Array(payload)))
  }

  func makeWorker(_ announcement: UnsafeRawBufferPointer) -> any HostedWorker {
    first.withLock { $0.take() } ?? makeHost()
  }
}

/// Frames over a socket that takes messages of some KiB: each in as many as it needs, of which the last says so.
private final class FrameLine: Sendable {
  private static let piece = ControlSocket.maximumMessage - 1
  let socket: ControlSocket

  init(_ socket: consuming ControlSocket) { self.socket = socket }

  func send(_ frame: RemoteFrame) throws {
    let bytes = frame.bytes
    for start in stride(from: 0, to: bytes.count, by: Self.piece) {
      let end = min(start + Self.piece, bytes.count)
      try socket.send([end == bytes.count ? 1 : 0] + bytes[start..<end])
    }
  }

  /// The next frame; nil when the other side is gone.
  func receive() throws -> RemoteFrame? {
    var bytes: [UInt8] = []
    while case .message(let message) = try socket.receive() {
      bytes += message.bytes.dropFirst()
      if message.bytes.first == 1 { return try bytes.withUnsafeBytes(RemoteFrame.init) }
    }
    return nil
  }
}
