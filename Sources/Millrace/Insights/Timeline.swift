/// What each slot did when, in bounded memory: time is cut in at most 256 pieces of equal length, which become longer as time goes on.
package struct Timeline: Sendable, Hashable {
  package enum Activity: Int, CaseIterable, Sendable {
    case startUp, setUp, working, waiting, tearDown

    /// nil: it has no worker, or one that ends.
    init?(_ state: PoolSnapshot.Slot.State) {
      switch state {
      case .closed, .empty, .ending, .killed: return nil
      case .starting: self = .startUp
      case .settingUp: self = .setUp
      case .working: self = .working
      case .idle: self = .waiting
      case .tearingDown: self = .tearDown
      }
    }
  }

  /// What happened to a slot's worker at a moment.
  package struct Mark: Sendable, Hashable {
    package enum Kind: String, CaseIterable, Sendable {
      /// It died by itself.
      case crash
      /// It took too long, and was ended.
      case timeout
      /// Another was begun in its place.
      case restart
    }
    package let kind: Kind
    package let slot: Int
    package let time: UInt64

    package init(kind: Kind, slot: Int, time: UInt64) { (self.kind, self.slot, self.time) = (kind, slot, time) }
  }

  static let most = 256
  /// Of slots beyond these nothing is kept: they would not fit on a picture.
  static let mostSlots = 64
  private static let kinds = Activity.allCases.count

  package let start: UInt64
  package var end: UInt64
  /// How long a piece is.
  package private(set) var step: UInt64 = 100_000
  /// Of each slot, piece by piece, the part of it that each activity took.
  private var rows: [[Float]] = []
  package private(set) var marks: [Mark] = []
  /// How many of each kind are kept.
  private static let mostMarks = 200

  package init(from start: UInt64) {
    self.start = start
    end = start
  }

  package var slotCount: Int { rows.count }

  package mutating func add(_ activity: Activity, slot: Int, from: UInt64, to: UInt64) {
    guard to > from, from >= start, slot < Self.mostSlots else { return }
    end = max(end, to)
    while (to - start - 1) / step >= UInt64(Self.most) { coarsen() }
    while rows.count <= slot { rows.append([]) }
    let last = Int((to - start - 1) / step)
    if rows[slot].count < (last + 1) * Self.kinds {
      rows[slot] += Array(repeating: 0, count: (last + 1) * Self.kinds - rows[slot].count)
    }
    for piece in Int((from - start) / step)...last {
      let begin = start + UInt64(piece) * step
      let part = min(to, begin + step) - max(from, begin)
      rows[slot][piece * Self.kinds + activity.rawValue] += Float(part) / Float(step)
    }
  }

  package mutating func mark(_ kind: Mark.Kind, slot: Int, at time: UInt64) {
    guard slot < Self.mostSlots, marks.count(where: { $0.kind == kind }) < Self.mostMarks else { return }
    marks.append(Mark(kind: kind, slot: slot, time: time))
  }

  /// Two pieces become one.
  private mutating func coarsen() {
    step *= 2
    for slot in rows.indices {
      let old = rows[slot]
      let pieces = old.count / Self.kinds
      rows[slot] = (0..<(pieces + 1) / 2 * Self.kinds).map { place in
        let (piece, kind) = (place / Self.kinds * 2, place % Self.kinds)
        let second = piece + 1 < pieces ? old[(piece + 1) * Self.kinds + kind] : 0
        return (old[piece * Self.kinds + kind] + second) / 2
      }
    }
  }

  /// The parts of a slot's pieces, each from 0 to 1, in the order of ``Activity``.
  package func pieces(of slot: Int) -> [[Float]] {
    guard rows.indices.contains(slot) else { return [] }
    return stride(from: 0, to: rows[slot].count, by: Self.kinds).map { Array(rows[slot][$0..<$0 + Self.kinds]) }
  }
}
