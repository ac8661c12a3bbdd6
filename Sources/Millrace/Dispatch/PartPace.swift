/// Whether what comes of a job's input is handed on at once, or gathered for a moment.
///
/// Each part that is handed on wakes a slot and the consumer, which takes longer than hundreds of tiny items. Where many follow each
/// other closely, the input runs at its full speed, and more of it is waited for, for a bounded time. If little comes of that, the
/// input does not: its parts go on at once again, and twice as many have to follow each other before it is tried once more.
struct PartPace {
  /// No part is taken before this time; 0: at once.
  private(set) var until: UInt64 = 0
  private var lastPart: UInt64 = 0
  private var streak = 0
  private var needed = Self.fewest

  /// So many parts in a row are more than those who wait for their answers, some at once, will send.
  private static let fewest = 8
  private static let most = 4_096
  /// So many items are worth the time.
  private static let worth = 4

  /// Whether so many items are a part that was gathered, as much as was hoped for.
  func isGathered(_ count: Int) -> Bool { until > 0 && count >= Self.worth }

  /// A part of so many items is handed on now.
  mutating func handedOn(_ count: Int, now: UInt64, gathering time: UInt64) {
    if isGathered(count) {
      needed = Self.fewest
    } else if until > 0 {
      streak = 0
      needed = min(2 * needed, Self.most)
    } else {
      streak = now &- lastPart <= time ? streak + 1 : 0
    }
    lastPart = now
    until = streak >= needed ? now &+ time : 0
  }
}
