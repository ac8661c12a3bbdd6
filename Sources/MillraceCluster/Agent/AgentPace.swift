import MillraceIPC

/// How long chunks take at an agent, and so how many more it has in hand than it runs: the next is there when one ends, and it has no
/// more than what others would miss for a moment.
package struct AgentPace: Sendable {
  /// So much work for each slot is in hand, in nanoseconds, or one chunk of a length of which the way to the queue is more than a hundredth.
  private static let handful: UInt64 = 10_000_000
  private static let longest: UInt64 = 50_000_000
  /// So many chunks for each slot at most, however short they are.
  private static let most = 16
  /// Of chunks shorter than this a slot has more than one at once, for it cannot be told fast enough that one has ended.
  private static let quick: UInt64 = 1_000_000

  private let slots: Int
  /// When chunks have ended, the last of them: for as many as there are in hand.
  private var ends: [UInt64]
  private var entered = 0
  /// When one last began or ended.
  private var movedAt: UInt64 = 0
  private var left = 0
  /// Nanoseconds; nil: none has ended yet.
  private var chunkTime: UInt64?

  package init(slots: Int) {
    self.slots = slots
    ends = [UInt64](repeating: 0, count: slots * (Self.most + 1))
  }

  /// How many are in hand besides those that run.
  package var ahead: Int {
    guard let chunkTime else { return 0 }
    let handful = min(Int(clamping: Self.handful / max(1, chunkTime)), Self.most)
    return slots * (handful > 0 ? handful : chunkTime <= Self.longest ? 1 : 0)
  }

  /// How many the slots are given at once.
  package var together: Int { slots * (chunkTime.map { $0 < Self.quick } == true ? 4 : 1) }

  /// A chunk goes to the slots: its number, in their order.
  package mutating func enter(at now: UInt64) -> Int {
    movedAt = max(movedAt, now)
    entered += 1
    return entered - 1
  }

  /// When a slot came to be at the chunk, as far as those before it tell.
  package func beginning(of number: Int, entered: UInt64) -> UInt64 {
    number < slots ? entered : max(entered, ends[(number - slots) % ends.count])
  }

  /// A chunk has ended; what it took, if it was run.
  package mutating func leave(at now: UInt64, took time: UInt64? = nil) {
    ends[left % ends.count] = now
    left += 1
    movedAt = max(movedAt, now)
    guard let time else { return }
    chunkTime = chunkTime.map { ($0 &* 3 &+ time) / 4 } ?? time
  }

  /// Whether what runs takes long: what waits behind it was had ahead because those before it were short.
  package func isStuck(at now: UInt64) -> Bool { now > movedAt + Self.longest }
}
