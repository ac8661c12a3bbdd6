extension Dispatcher {
  /// The slots, and for each question that every event asks of them the set of those that it concerns: so that what an event costs does
  /// not grow with the number of the others.
  ///
  /// Whoever changes a slot does so through the subscript, which notes it, and the sets are put right before they are asked. So no way on
  /// which a slot changes can forget them. Each says what follows from the slot alone: not from the time, the queue or other slots.
  struct SlotTable: RandomAccessCollection {
    private var slots: [Slot] = []
    private let index: SlotIndex

    init(_ constants: Constants) { index = SlotIndex(constants) }

    var startIndex: Int { 0 }
    var endIndex: Int { slots.count }

    subscript(slot: Int) -> Slot {
      @inline(__always) _read { yield slots[slot] }
      @inline(__always) _modify {
        index.note(slot)
        yield &slots[slot]
      }
    }

    mutating func append(_ slot: Slot) {
      slots.append(slot)
      index.grow(to: slots.count)
    }

    /// Whether there is a slot in one of the sets.
    @inline(__always)
    func hasAny(_ sets: SlotSets) -> Bool { next(from: 0, sets) != nil }

    /// The first slot, from this one on, that is in one of the sets.
    @inline(__always)
    func next(from start: Int, _ sets: SlotSets) -> Int? {
      index.putRight(slots)
      return index.next(from: start, sets)
    }

    /// The slots that are in one of the sets now, in order.
    func members(_ sets: SlotSets) -> [Int] {
      var members: [Int] = []
      var next = next(from: 0, sets)
      while let slot = next {
        members.append(slot)
        next = index.next(from: slot + 1, sets)
      }
      return members
    }

    /// Whether the condition holds for a slot in one of the sets.
    func contains(in sets: SlotSets, where condition: (Int) -> Bool) -> Bool {
      var next = next(from: 0, sets)
      while let slot = next {
        if condition(slot) { return true }
        next = index.next(from: slot + 1, sets)
      }
      return false
    }

    /// Whether the slot is in one of the sets.
    func contains(_ slot: Int, in sets: SlotSets) -> Bool { next(from: slot, sets) == slot }

    /// How many of the first slots are in one of the sets.
    func count(_ sets: SlotSets, before end: Int) -> Int {
      index.putRight(slots)
      return index.count(sets, before: end)
    }

    /// When the first of them is to be looked at; `.max`: none is.
    var firstDeadline: UInt64 {
      index.putRight(slots)
      return index.deadlines.first
    }

    /// When the slot is to be looked at.
    func deadline(of slot: Int) -> UInt64 {
      index.putRight(slots)
      return index.deadlines[slot]
    }
  }
}

/// Sets of slots.
struct SlotSets: OptionSet {
  let rawValue: UInt8

  /// It would take a chunk, and has none.
  static let idle = SlotSets(rawValue: 1)
  /// It would take a chunk besides those that it has, if there is nothing against it.
  static let hungry = SlotSets(rawValue: 2)
  /// It has no worker, and would get one if that had something to do.
  static let vacant = SlotSets(rawValue: 4)
  /// It has no chunk, and something to do before it takes one: set-ups, or its end.
  static let onErrand = SlotSets(rawValue: 8)
  /// It has chunks.
  static let busy = SlotSets(rawValue: 16)
  /// It has chunks behind the first.
  static let laden = SlotSets(rawValue: 32)
  /// A part of what it is at may be given to others.
  static let shareable = SlotSets(rawValue: 64)
  /// Its set-up or tear-down has no limit.
  static let unlimited = SlotSets(rawValue: 128)
}

extension Dispatcher {
  /// The sets of a ``SlotTable``, and when its slots are to be looked at.
  ///
  /// A class, so that the dispatcher, which is copied flat for closures, stays small, and whoever only asks may put it right. As of a
  /// job, its accesses are not checked.
  fileprivate final class SlotIndex {
    /// The sets of 64 slots, a bit each.
    private struct Block {
      /// Slots that may have changed since their bits were set.
      var changed: UInt64 = 0
      var idle: UInt64 = 0
      var hungry: UInt64 = 0
      var vacant: UInt64 = 0
      var onErrand: UInt64 = 0
      var busy: UInt64 = 0
      var laden: UInt64 = 0
      var shareable: UInt64 = 0
      var unlimited: UInt64 = 0

      @inline(__always)
      func union(_ sets: SlotSets) -> UInt64 {
        var word: UInt64 = 0
        if sets.contains(.idle) { word |= idle }
        if sets.contains(.hungry) { word |= hungry }
        if sets.contains(.vacant) { word |= vacant }
        if sets.contains(.onErrand) { word |= onErrand }
        if sets.rawValue < 16 { return word }
        if sets.contains(.busy) { word |= busy }
        if sets.contains(.laden) { word |= laden }
        if sets.contains(.shareable) { word |= shareable }
        if sets.contains(.unlimited) { word |= unlimited }
        return word
      }

      @inline(__always)
      mutating func put(_ bit: UInt64, _ sets: SlotSets) {
        let (rest, all) = (~bit, UInt64(sets.rawValue))
        @inline(__always)
        func put(_ word: inout UInt64, _ set: SlotSets) {
          // All ones, or zero.
          let isIn = 0 &- (all &>> UInt64(set.rawValue.trailingZeroBitCount) & 1)
          word = word & rest | bit & isIn
        }
        put(&idle, .idle)
        put(&hungry, .hungry)
        put(&vacant, .vacant)
        put(&onErrand, .onErrand)
        put(&busy, .busy)
        put(&laden, .laden)
        put(&shareable, .shareable)
        put(&unlimited, .unlimited)
      }
    }

    private let constants: Constants
    /// Of the first 64 slots, which is all that most pools have.
    @exclusivity(unchecked) private var first = Block()
    /// Of the others.
    @exclusivity(unchecked) private var others: [Block] = []
    @exclusivity(unchecked) private var hasOthers = false
    @exclusivity(unchecked) private(set) var deadlines = DeadlineTree()
    /// The slot that was noted last; -1: none is since all were put right.
    @exclusivity(unchecked) private var noted = -1
    /// Whether it is the only one: then others do not lose what is handed ahead.
    @exclusivity(unchecked) private var isOneOfMany = false

    init(_ constants: Constants) { self.constants = constants }

    // MARK: What changes

    func grow(to count: Int) {
      if count > (1 + others.count) * 64 {
        others.append(Block())
        hasOthers = true
      }
      deadlines.grow(to: count)
      isOneOfMany = count > 1
      note(count - 1)
      note(0)
    }

    /// The slot is about to change.
    @inline(__always)
    func note(_ slot: Int) {
      if noted != slot { noteAnother(slot) }
    }

    @inline(never)
    private func noteAnother(_ slot: Int) {
      let bit: UInt64 = 1 << UInt64(slot & 63)
      if slot < 64 { first.changed |= bit } else { others[slot >> 6 - 1].changed |= bit }
      noted = slot
    }

    @inline(__always)
    func putRight(_ slots: [Slot]) {
      if noted >= 0 { putNotedRight(slots) }
    }

    @inline(never)
    private func putNotedRight(_ slots: [Slot]) {
      noted = -1
      // Where they are: none is copied.
      slots.withUnsafeBufferPointer { slots in
        putRight(&first, 0, slots)
        if hasOthers { for place in others.indices { putRight(&others[place], (place + 1) << 6, slots) } }
      }
    }

    @inline(__always)
    private func putRight(_ block: inout Block, _ base: Int, _ slots: UnsafeBufferPointer<Slot>) {
      var changed = block.changed
      block.changed = 0
      while changed != 0 {
        let slot = base | changed.trailingZeroBitCount
        block.put(changed & (~changed &+ 1), sets(slots, slot))
        deadlines.set(slot, slots[slot].worker.mayHaveDeadline ? deadline(slots, slot) : .max)
        changed &= changed &- 1
      }
    }

    @inline(never)
    private func deadline(_ slots: UnsafeBufferPointer<Slot>, _ slot: Int) -> UInt64 {
      slots[slot].worker.deadline(constants.limits)
    }

    /// In which sets the slot is, as it is now.
    @inline(__always)
    private func sets(_ slots: UnsafeBufferPointer<Slot>, _ slot: Int) -> SlotSets {
      var sets: SlotSets = []
      // It has chunks too while it is about to be done with one of which all items have their outcomes, which does not count.
      let count = slots[slot].worker.assigned.count
      let isEmpty = slots[slot].worker.assigned.isEmpty
      if !isEmpty { sets.insert(.busy) }
      if count > 1 { sets.insert(.laden) }
      let retires = slots[slot].retires
      switch slots[slot].worker.phase {
      case .none:
        if slots[slot].standing == .open { sets.insert(.vacant) }
        if slots[slot].standing == .closing { sets.insert(.onErrand) }
      case .ready where slots[slot].worker.kill == nil:
        if isEmpty {
          if retires || !slots[slot].worker.toPrepare.isEmpty { sets.insert(.onErrand) }
          if !retires { sets.insert(.idle) }
        } else if !retires, count * 2 <= slots[slot].worker.mostChunks(constants, ofMany: isOneOfMany) {
          sets.insert(.hungry)
        }
        if constants.limits.shareTime != nil, slots[slot].worker.shareable(constants.limits) != nil {
          sets.insert(.shareable)
        }
      case .preparing(_, nil), .tearingDown(_, nil): sets.insert(.unlimited)
      default: break
      }
      return sets
    }

    // MARK: What is asked

    @inline(never)
    func next(from start: Int, _ sets: SlotSets) -> Int? {
      if start < 64 {
        let word = first.union(sets) & (~0 &<< UInt64(truncatingIfNeeded: start))
        if word != 0 { return word.trailingZeroBitCount }
      }
      return hasOthers ? nextOther(from: start, sets) : nil
    }

    @inline(never)
    private func nextOther(from start: Int, _ sets: SlotSets) -> Int? {
      let start = max(start, 64)
      var place = start >> 6 - 1
      guard place < others.count else { return nil }
      var word = others[place].union(sets) & (~0 << UInt64(start & 63))
      while word == 0 {
        place += 1
        guard place < others.count else { return nil }
        word = others[place].union(sets)
      }
      return (place + 1) << 6 | word.trailingZeroBitCount
    }

    func count(_ sets: SlotSets, before end: Int) -> Int {
      others.indices.reduce(Self.count(first, sets, before: end)) { count, place in
        count + Self.count(others[place], sets, before: end - (place + 1) * 64)
      }
    }

    private static func count(_ block: Block, _ sets: SlotSets, before end: Int) -> Int {
      let mask: UInt64 = end >= 64 ? ~0 : end > 0 ? ~(~0 << UInt64(end)) : 0
      return (block.union(sets) & mask).nonzeroBitCount
    }
  }
}

/// When each of several is due, and the first of them: a tree in which each is the least of the two below it.
struct DeadlineTree {
  /// The root at 1, those below `place` at `2 * place` and behind it; the last half are those of the slots.
  private var times: [UInt64] = [.max, .max]
  private var width: Int { times.count / 2 }

  var first: UInt64 { times[1] }

  subscript(place: Int) -> UInt64 { times[width + place] }

  mutating func grow(to count: Int) {
    guard count > width else { return }
    let old = times[width...]
    times = Array(repeating: .max, count: 4 * width)
    for (place, time) in old.enumerated() { set(place, time) }
  }

  mutating func set(_ place: Int, _ time: UInt64) {
    var node = width + place
    guard times[node] != time else { return }
    times[node] = time
    while node > 1 {
      node /= 2
      let least = min(times[2 * node], times[2 * node + 1])
      // Whoever is above it knows of another that is earlier.
      guard times[node] != least else { return }
      times[node] = least
    }
  }
}
