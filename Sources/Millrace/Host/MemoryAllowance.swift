import Synchronization

/// How much memory may be taken before somebody looks again how much there is: 16 MiB, and less where there is little.
///
/// To look takes some tens of microseconds, which is nothing beside what large memory costs, and too much for each small one. Small ones
/// make much memory together.
final class MemoryAllowance: Sendable {
  private static let most = 16 << 20
  private let left = Atomic(0)

  /// Whether more than what is left of it is to be taken; else it is taken from that.
  func isWorthLook(_ bytes: Int) -> Bool {
    // Every object has pages of its own, and the first is not only its.
    let size = (bytes + 8_191) & ~4_095
    return size >= Self.most || left.subtract(size, ordering: .relaxed).newValue < 0
  }

  /// Somebody has looked: of so much, so many bytes are to be taken now. Half of the rest is for others.
  func saw(_ room: Int?, for bytes: Int) {
    left.store(min(Self.most, room.map { max(0, $0 - bytes) / 2 } ?? Self.most), ordering: .relaxed)
  }
}
