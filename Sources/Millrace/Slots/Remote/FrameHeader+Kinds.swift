package import MillraceIPC

/// What the words of a header mean, by its kind. To the rings they are the caller's own.
///
/// ```
///             a         b         c
///  open                 worker
///  chunk      items     chunk     worker
///  tearDown             worker
///  cancel               chunk, or which set-up
///  retired    segment
///  opened               worker
///  openFailed           worker
///  outputs    outputs   chunk     nanoseconds, if final, and resident memory above them
///  itemFailed           chunk     offset in it
///  chunkDone  items     chunk     nanoseconds
///  tornDown             worker
/// ```
extension FrameHeader {
  private init(
    _ kind: FrameKind, _ flags: FrameFlags = [], count: Int = 0, of owner: UInt64 = 0, _ detail: UInt64 = 0
  ) {
    self.init(
      kind: kind.rawValue, flags: flags.rawValue, a: UInt32(truncatingIfNeeded: count), b: owner, c: detail)
  }

  // MARK: Requests

  package static func open(_ worker: UInt64) -> FrameHeader { FrameHeader(.open, of: worker) }
  package static func chunk(_ number: UInt64, of worker: UInt64, items: Int, _ flags: FrameFlags) -> FrameHeader {
    FrameHeader(.chunk, flags, count: items, of: number, worker)
  }
  package static func tearDown(_ worker: UInt64) -> FrameHeader { FrameHeader(.tearDown, of: worker) }
  /// The number: of a chunk, or of a set-up (``HostTasks``).
  package static func cancel(_ number: UInt64) -> FrameHeader { FrameHeader(.cancel, of: number) }
  package static var stop: FrameHeader { FrameHeader(.stop) }

  // MARK: Either way

  package static func retired(_ segment: UInt32) -> FrameHeader { FrameHeader(.retired, count: Int(segment)) }

  // MARK: Responses

  package static func opened(_ worker: UInt64) -> FrameHeader { FrameHeader(.opened, of: worker) }
  package static func openFailed(_ worker: UInt64) -> FrameHeader { FrameHeader(.openFailed, of: worker) }
  package static func outputs(_ count: Int, of chunk: UInt64, _ flags: FrameFlags = []) -> FrameHeader {
    FrameHeader(.outputs, flags, count: count, of: chunk)
  }
  package static func itemFailed(_ offset: Int, of chunk: UInt64, _ flags: FrameFlags = []) -> FrameHeader {
    FrameHeader(.itemFailed, flags, of: chunk, UInt64(truncatingIfNeeded: offset))
  }
  package static func chunkDone(_ chunk: UInt64, items: Int, nanoseconds: UInt64) -> FrameHeader {
    FrameHeader(.chunkDone, count: items, of: chunk, nanoseconds)
  }
  package static func tornDown(_ worker: UInt64, _ flags: FrameFlags = []) -> FrameHeader {
    FrameHeader(.tornDown, flags, of: worker)
  }
  package static var stopped: FrameHeader { FrameHeader(.stopped) }
  package static var begun: FrameHeader { FrameHeader(.begun) }

  // MARK: What it says

  /// Nil, if the other side says what nobody knows.
  var frameKind: FrameKind? { FrameKind(rawValue: kind) }
  package var frameFlags: FrameFlags {
    get { FrameFlags(rawValue: flags) }
    set { flags = newValue.rawValue }
  }

  /// Behind it there is nothing more of its chunk.
  package var isChunkDone: Bool { isKind(.chunkDone) }

  func isKind(_ kind: FrameKind) -> Bool { self.kind == kind.rawValue }

  /// How many items or outputs it is about.
  package var count: Int { Int(a) }
  var segment: UInt32 { a }
  /// The chunk's number.
  package var chunk: UInt64 { b }
  /// The worker's key, but in a chunk.
  var worker: UInt64 { b }
  /// The worker's key, in a chunk.
  var chunkWorker: UInt64 { c }
  /// Which of the chunk's items failed.
  var offset: UInt64 { c }
  /// How long the chunk took.
  package var nanoseconds: UInt64 { frameFlags.contains(.samplesMemory) ? c & (1 << Self.timeBits - 1) : c }
  /// What the worker has resident, if these outputs say so: bytes, in whole pages.
  package var memory: Int? { frameFlags.contains(.samplesMemory) ? Int(c >> Self.timeBits) << Self.pageBits : nil }

  /// 18 minutes, and 64 GiB.
  private static let (timeBits, pageBits): (UInt64, Int) = (40, 12)

  /// These are the last outputs of their chunk.
  ///
  /// - Parameter memory: what the worker has resident, if that is to be said too. It has to come with them, for what comes behind a map's
  ///   last output may be behind its end. Of a chunk that has taken very long it is left out.
  package mutating func makeFinal(nanoseconds: UInt64, memory: @autoclosure () -> Int? = nil) {
    frameFlags.insert(.final)
    c = nanoseconds
    guard nanoseconds >> Self.timeBits == 0, let memory = memory() else { return }
    frameFlags.insert(.samplesMemory)
    c |= min(UInt64(max(0, memory)) >> UInt64(Self.pageBits), 1 << (64 - Self.timeBits) - 1) << Self.timeBits
  }
}
