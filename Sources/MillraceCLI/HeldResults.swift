#if CLI
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What is to be printed of a job that has ended.
struct JobOutput: Sendable {
  /// Goes before each line.
  var tag: Bytes?
  var captures: [(stream: OutputWriter.Stream, capture: Capture)] = []
  /// A line of our own.
  var message: Bytes?
}

/// With `--keep-order`: outputs of jobs that ended before one whose turn is earlier.
///
/// They stay in memory up to a bound, and go to the spill file beyond it, so that the run goes on as far as the disk allows; a
/// packed output then costs a few words. When the disk is full, no more jobs are begun until some have been printed.
final class HeldResults: Sendable {
  private enum Held: Sendable {
    case whole(JobOutput, size: Int)
    case packed(SpillFile.Part)
  }

  private struct State: Sendable {
    var held: [Int: Held] = [:]
    /// The job whose turn it is.
    var next: Int
    var memory = 0
    var isFull = false
  }

  /// 64 MiB for the run, of which half is for the jobs that run.
  static let memory = 32 << 20

  private let spill: SpillFile
  private let mostMemory: Int
  private let room: Descriptor
  private let state: Lock<State>

  /// - Parameter mostMemory: what is held; what jobs have written that run is kept by them.
  init(first: Int, spill: SpillFile, mostMemory: Int = memory) throws {
    self.spill = spill
    self.mostMemory = mostMemory
    room = try SystemError.saying("cannot make an event descriptor", Descriptor.bell)
    state = Lock(State(next: first))
  }

  /// Adds the output of a job.
  /// - Returns: the reason, if it should have gone to the disk and could not, for the first time.
  func add(_ output: JobOutput, sequence: Int) -> (any Error)? {
    let size = output.memory + 200
    let isLarge = state.withLock { state in
      // What has its turn is gone again at once.
      sequence != state.next && state.memory + size > mostMemory
    }
    var held = Held.whole(output, size: size)
    var failure: (any Error)?
    if isLarge, let packed = output.packed() {
      do { held = .packed(try spill.store(packed)) } catch { failure = error }
    } else if isLarge {
      // Parts of it are on the disk, and the rest goes there.
      var output = output
      do {
        for index in output.captures.indices { try output.captures[index].capture.spillAll(to: spill) }
      } catch { failure = error }
      held = .whole(output, size: output.memory + 200)
    }
    return state.withLock { state in
      if case .whole(_, let size) = held { state.memory += size }
      state.held[sequence] = held
      defer { state.isFull = state.isFull || failure != nil }
      return state.isFull ? nil : failure
    }
  }

  /// The output whose turn it is, if its job has ended.
  func take() throws -> JobOutput? {
    let (held, hasRoom) = state.withLock { state -> (Held?, Bool) in
      guard let held = state.held.removeValue(forKey: state.next) else { return (nil, false) }
      state.next += 1
      if case .whole(_, let size) = held { state.memory -= size }
      let hasRoom = state.isFull && state.memory < mostMemory / 2
      if hasRoom { state.isFull = false }
      return (held, hasRoom)
    }
    if hasRoom { room.ring() }
    switch held {
    case nil: return nil
    case .whole(let output, _): return output
    case .packed(let part): return JobOutput(packed: try spill.take(part))
    }
  }

  /// Returns when there is room for the output of one more job, or `stop` is readable.
  func waitForRoom(stop: Int32) {
    while state.withLock(\.isFull) {
      var events = [
        pollfd(fd: room.rawValue, events: Int16(POLLIN), revents: 0),
        pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
      ]
      poll(&events, 2, -1)
      if events[0].revents != 0 { room.hear() }
      if events[1].revents != 0 { return }
    }
  }
}

extension JobOutput {
  fileprivate var memory: Int {
    captures.reduce((tag?.count ?? 0) + (message?.count ?? 0)) { $0 + $1.capture.tail.count }
  }

  /// All of it as bytes; nil if parts of it are on the disk already.
  fileprivate func packed() -> Bytes? {
    guard captures.allSatisfy(\.capture.parts.isEmpty) else { return nil }
    var bytes = Bytes()
    bytes.reserveCapacity(memory + 32)
    func add(_ field: Bytes?) {
      withUnsafeBytes(of: UInt64(field.map { $0.count + 1 } ?? 0)) { bytes += $0 }
      bytes += field ?? []
    }
    add(tag)
    add(message)
    for (stream, capture) in captures {
      bytes.append(UInt8(stream.rawValue))
      add(capture.tail)
    }
    return bytes
  }

  fileprivate init(packed: Bytes) {
    var rest = packed[...]
    func field() -> Bytes? {
      let length = Int(rest.prefix(8).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
      rest = rest.dropFirst(8)
      guard length > 0 else { return nil }
      defer { rest = rest.dropFirst(length - 1) }
      return Bytes(rest.prefix(length - 1))
    }
    tag = field()
    message = field()
    while let stream = rest.popFirst().flatMap({ OutputWriter.Stream(rawValue: Int32($0)) }) {
      var capture = Capture(memory: .max)
      capture.append(field() ?? [])
      captures.append((stream, capture))
    }
  }
}
#endif
