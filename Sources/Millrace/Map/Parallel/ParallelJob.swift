import Synchronization

/// One parallel call while it runs: an index range, shared out among lanes.
///
///     lane 0 (the caller)   [■■■■□□□□□□□□□□□□|          takes from its front, in pieces that grow
///     lane 1 (a helper)                       |□□□□□□□□□□□□]   took the back half when it joined
///
/// The caller begins with everything; who joins, or runs dry, takes half of the largest rest. Nothing is cut up
/// in advance, so a call that nobody helps costs next to nothing, and cost that sits in one place is halved until it is shared.
///
/// `@unchecked Sendable`: `body` is set before the job is opened and cleared after the last lane has left; `runs[lane]`
/// belongs to the thread that holds the lane; `admission` is guarded by the crew's lock; the rest is atomic or constant.
final class ParallelJob: @unchecked Sendable {
  /// Runs the items `lower..<upper`; false if it failed, and nothing of the piece remains.
  typealias Body = (_ context: UnsafeRawPointer, _ lane: Int, _ lower: Int, _ upper: Int) -> Bool

  /// Who takes part.
  ///
  /// Guarded by the crew's lock.
  struct Admission {
    var freeLanes: [Int]
    var isOpen = false
    var isCallerCrew = false
    /// The caller, while it sleeps until the last of the others has left.
    var waiter: CrewMember?
    /// Whether it already counts as busy again, though it is not yet awake.
    var isWaiterCounted = false
  }

  let count: Int
  let width: Int
  let parent: ParallelJob?
  /// Whether the width is a wish of the user's, to be granted though all CPUs are busy.
  let isGranted: Bool
  let keepsRuns: Bool
  var body: Body?
  var admission: Admission
  /// Lanes taken.
  ///
  /// Changed under the crew's lock, read without.
  let present = Atomic<Int>(0)
  /// A piece failed, or the call was cancelled: no further piece is begun.
  private let stopped = Atomic<Bool>(false)
  /// For each lane, what it has finished, joined where consecutive.
  ///
  /// Empty unless asked for.
  let runs: UnsafeMutablePointer<[Range<Int>]>

  let context: UnsafeRawPointer
  private let stop: StopToken?
  fileprivate let pace: Pace
  fileprivate let plainGrain: UInt32
  /// Items in a unit, as a power of two: 0 below 2^31 items.
  private let shift: Int
  private let cells: UnsafeMutablePointer<Cell>

  /// A lane's range, alone on its cache lines (two, because processors fetch them in pairs).
  private struct Cell: ~Copyable {
    let range = Atomic<UInt64>(0)
    let ownerAtBack = Atomic<Bool>(false)
    private let padding: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
    private let more: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
  }

  init(_ plan: ParallelPlan, width: Int, context: UnsafeRawPointer, parent: ParallelJob?) {
    count = plan.count
    self.width = width
    self.parent = parent
    isGranted = plan.width != nil && parent == nil
    self.context = context
    stop = plan.stop
    keepsRuns = plan.keepsRuns
    shift = max(0, Int.bitWidth - count.leadingZeroBitCount - 31)
    pace = Pace(fixed: plan.grain.map { [shift] in max(1, $0 >> shift) }, mayTurn: plan.mayTurn)
    let isPlain = shift == 0 && !keepsRuns && stop == nil
    plainGrain = isPlain ? UInt32(min(pace.fixed ?? 0, plan.count)) : 0
    admission = Admission(freeLanes: Array((0..<width).reversed()))
    cells = .allocate(capacity: width)
    runs = .allocate(capacity: width)
    runs.initialize(repeating: [], count: width)
    for lane in 0..<width { (cells + lane).initialize(to: Cell()) }
    let units = (count >> shift) + (count & ((1 << shift) - 1) == 0 ? 0 : 1)
    cells[0].range.store(LaneRange(0, UInt32(units)).word, ordering: .relaxed)
  }

  deinit {
    cells.deinitialize(count: width)
    cells.deallocate()
    runs.deinitialize(count: width)
    runs.deallocate()
  }

  /// Whether the job ended before its last item.
  var isStopped: Bool { stopped.load(ordering: .acquiring) }

  /// Whether one more thread would find something to do.
  ///
  /// Hold the crew's lock.
  var wantsHelp: Bool {
    guard admission.isOpen, !admission.freeLanes.isEmpty, !isStopped else { return false }
    return (0..<width).contains { !LaneRange(word: cells[$0].range.load(ordering: .sequentiallyConsistent)).isEmpty }
  }

  /// Whether this job is `other`, or was begun by a piece of it, at any depth.
  func isWithin(_ other: ParallelJob) -> Bool {
    var job: ParallelJob? = self
    while let current = job {
      if current === other { return true }
      job = current.parent
    }
    return false
  }

  /// No further piece is begun.
  func halt() { stopped.store(true, ordering: .releasing) }

  /// Does what there is to do, as the holder of `lane`, until there is nothing left to take or the job has stopped.
  ///
  /// Not inlined, so that its hold on `body` has certainly ended before the lane is given back.
  @inline(never)
  func work(lane: Int) {
    guard let body else { return }
    var lane = ParallelLane(self, number: lane)
    while let piece = lane.next() {
      if !body(context, lane.number, piece.lowerBound, piece.upperBound) { lane.fail() }
    }
  }

  /// A lane's way through the job.
  ///
  /// See ``ParallelLane/next()``.
  fileprivate func next(_ lane: inout ParallelLane) -> Range<Int>? {
    if lane.plainGrain > 0, let piece = takePlain(lane.number, lane.plainGrain) { return piece }
    if let done = lane.piece {
      if lane.pace.fixed == nil {
        let now = _monotonicNow()
        lane.pace.measured(units: lane.units, nanoseconds: Double(now &- lane.start))
        lane.start = now
      }
      if keepsRuns { runs[lane.number].append(joining: done) }
      lane.piece = nil
    }
    if let stop, stop.isRaised { halt() }
    if stopped.load(ordering: .relaxed) { return nil }
    guard let units = take(lane.number, &lane.pace) ?? steal(into: lane.number, &lane.pace) else { return nil }
    let lower = Int(units.lower) &<< shift
    // Unsigned, because the end of the last unit may lie beyond the largest Int.
    let upper = Int(min(UInt64(units.upper) &<< UInt64(shift), UInt64(count)))
    let piece = Range(uncheckedBounds: (lower, upper))
    lane.piece = piece
    lane.units = units.count
    return piece
  }

  /// ``take(_:_:)`` for a fixed grain and no books to keep: all that there is to do for a piece may be this exchange.
  private func takePlain(_ lane: Int, _ grain: UInt32) -> Range<Int>? {
    if stopped.load(ordering: .relaxed) { return nil }
    var word = cells[lane].range.load(ordering: .relaxed)
    while true {
      let rest = LaneRange(word: word)
      if rest.isEmpty { return nil }
      let middle = rest.upper &- rest.lower > grain ? rest.lower &+ grain : rest.upper
      let (taken, actual) = cells[lane].range.weakCompareExchange(
        expected: word, desired: LaneRange(middle, rest.upper).word, ordering: .acquiringAndReleasing)
      if taken { return Range(uncheckedBounds: (Int(rest.lower), Int(middle))) }
      word = actual
    }
  }

  private func take(_ lane: Int, _ pace: inout Pace) -> LaneRange? {
    var word = cells[lane].range.load(ordering: .relaxed)
    while true {
      var rest = LaneRange(word: word)
      if rest.isEmpty { return nil }
      let piece = rest.cut(pace.size(remaining: rest.count), fromBack: pace.fromBack)
      let (taken, actual) = cells[lane].range.weakCompareExchange(
        expected: word, desired: rest.word, ordering: .acquiringAndReleasing)
      if taken {
        if pace.fixed == nil { cells[lane].ownerAtBack.store(pace.fromBack, ordering: .relaxed) }
        return piece
      }
      word = actual
    }
  }

  /// Takes half of the largest range of the other lanes as its own, and the first piece of that; nil if there is none.
  private func steal(into lane: Int, _ pace: inout Pace) -> LaneRange? {
    while !stopped.load(ordering: .relaxed) {
      var victim = -1
      var word: UInt64 = 0
      for other in 0..<width where other != lane {
        let candidate = cells[other].range.load(ordering: .relaxed)
        if LaneRange(word: candidate).count > LaneRange(word: word).count { (victim, word) = (other, candidate) }
      }
      if victim < 0 { return nil }
      var rest = LaneRange(word: word)
      var half = rest.cutHalf(ownerAtBack: cells[victim].ownerAtBack.load(ordering: .relaxed))
      guard
        cells[victim].range.compareExchange(expected: word, desired: rest.word, ordering: .acquiringAndReleasing)
          .exchanged
      else { continue }
      // The first piece never goes into the range, where another could take it before it is begun.
      pace.begin()
      let piece = half.cut(pace.size(remaining: half.count), fromBack: false)
      if half.isEmpty { return piece }
      // Between the exchange and this store the half is nobody's to see, and a thread that looked meanwhile may have
      // gone to sleep. So whoever publishes work calls one back; both sides use the sequentially consistent order here, so
      // that one of the two sees the other.
      cells[lane].ownerAtBack.store(false, ordering: .relaxed)
      cells[lane].range.store(half.word, ordering: .sequentiallyConsistent)
      if present.load(ordering: .sequentiallyConsistent) < width { Crew.shared.invite() }
      return piece
    }
    return nil
  }
}

/// A thread's place in a job while it works there.
@usableFromInline
struct ParallelLane {
  @usableFromInline let number: Int
  /// Who works in a job holds it; to count that for every piece would cost more than the piece.
  private let job: Unmanaged<ParallelJob>
  fileprivate var pace: Pace
  /// The piece that was handed out last, if it is not known to have failed.
  fileprivate var piece: Range<Int>?
  fileprivate var units = 0
  fileprivate var start: UInt64
  /// The fixed grain, if taking pieces is all that the lane has to do; otherwise 0.
  fileprivate let plainGrain: UInt32

  init(_ job: ParallelJob, number: Int) {
    self.job = Unmanaged.passUnretained(job)
    self.number = number
    pace = job.pace
    pace.begin()
    start = pace.fixed == nil ? _monotonicNow() : 0
    plainGrain = job.plainGrain
  }

  /// The next piece to run, the last one being done; nil when there is nothing left, or the job has stopped.
  @usableFromInline
  mutating func next() -> Range<Int>? {
    let job = job
    return job._withUnsafeGuaranteedRef { $0.next(&self) }
  }

  /// The last piece has failed: it is not done, and the job stops.
  @usableFromInline
  mutating func fail() {
    piece = nil
    job.takeUnretainedValue().halt()
  }
}

extension [Range<Int>] {
  /// Appends a range, as one with the last if it continues it at either end.
  mutating func append(joining range: Range<Int>) {
    if let last, last.upperBound == range.lowerBound {
      self[count - 1] = last.lowerBound..<range.upperBound
    } else if let last, last.lowerBound == range.upperBound {
      self[count - 1] = range.lowerBound..<last.upperBound
    } else {
      append(range)
    }
  }
}
