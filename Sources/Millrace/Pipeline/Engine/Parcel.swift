/// What a failed item is for whoever gets to it.
enum FailureMeaning: Sendable, Hashable {
  /// The run ends there.
  case theEnd
  /// It is told of in its place, or with others at the end.
  case told
  /// It is left out.
  case leftOut
}

/// Items on their way between stations: values as they lie in a buffer, one that has failed, or places of items that were left out.
struct Parcel {
  enum Content {
    /// So many values of the buffer, from this offset of theirs on.
    case values(OutputStore, from: Int)
    /// An item that has failed, with what travelled beside it.
    indirect case failure(ItemFailure, means: FailureMeaning, meta: Meta)
    /// So many items were left out; where branches come together again that is known of each of them.
    case gap
  }

  let content: Content
  let count: Int
  /// Which items of the source they come from.
  let sources: Sources

  /// What it means that it has failed, if it has.
  var means: FailureMeaning? { if case .failure(_, let meaning, _) = content { meaning } else { nil } }

  /// Cuts the first items off.
  func prefix(_ count: Int) -> Parcel { Parcel(content: content, count: count, sources: sources) }

  func dropFirst(_ count: Int) -> Parcel {
    let content: Content =
      switch self.content {
      case .values(let items, let offset): .values(items, from: offset + count)
      case .gap: .gap
      case .failure: preconditionFailure("a failure is of one item")
      }
    return Parcel(content: content, count: self.count - count, sources: sources.dropFirst(count))
  }
}

/// Of each of consecutive items, the place in the source of what it comes from.
struct Sources {
  private var base: Int
  private var list: [Int]?
  private var offset = 0

  /// Each comes from the next.
  init(from base: Int) { self.base = base }
  init(_ list: [Int]) { (base, self.list) = (0, list) }

  subscript(place: Int) -> Int { if let list { list[offset + place] } else { base + place } }

  func dropFirst(_ count: Int) -> Sources {
    var rest = self
    if list == nil { rest.base += count } else { rest.offset += count }
    return rest
  }

  /// Whether the others, behind so many of these, go on as these do.
  func goOn(with others: Sources, after count: Int) -> Bool {
    list == nil && others.list == nil && others.base == base + count
  }
}

/// Parcels in their order, taken by numbers of items.
struct ParcelQueue {
  private var parcels = FIFO<Parcel>()

  mutating func append(_ parcel: Parcel) { parcels.append(parcel) }

  mutating func take(_ count: Int) -> [Parcel] {
    var (taken, left): ([Parcel], Int) = ([], count)
    while left > 0, let first = parcels.popFirst() {
      if first.count > left {
        taken.append(first.prefix(left))
        parcels.prepend(first.dropFirst(left))
        return taken
      }
      taken.append(first)
      left -= first.count
    }
    precondition(left == 0, "a station is given what is not there")
    return taken
  }

  mutating func removeAll() { parcels.removeAll() }

  mutating func takeAll() -> [Parcel] {
    var taken: [Parcel] = []
    while let first = parcels.popFirst() { taken.append(first) }
    return taken
  }
}

/// What a job was given and has not answered: where its items come from.
struct SourceLedger {
  private struct Run {
    let first: Int
    var count: Int
    let sources: Sources
    /// How many of them have no outcome yet.
    var left: Int
  }
  private var runs: [Run] = []
  private var head = 0
  /// How many items it was given.
  private(set) var given = 0

  mutating func give(_ count: Int, _ sources: Sources) {
    if let last = runs.last, head < runs.count, last.sources.goOn(with: sources, after: last.count) {
      runs[runs.count - 1].count += count
      runs[runs.count - 1].left += count
    } else {
      runs.append(Run(first: given, count: count, sources: sources, left: count))
    }
    given += count
  }

  /// The sources of these items, which have their outcomes now.
  mutating func answer(_ range: Range<Int>) -> Sources {
    var (place, next) = (run(of: range.lowerBound), range.lowerBound)
    let start = runs[place].sources.dropFirst(next - runs[place].first)
    let isOne = range.upperBound <= runs[place].first + runs[place].count
    var list: [Int] = []
    while next < range.upperBound {
      let end = min(range.upperBound, runs[place].first + runs[place].count)
      if !isOne { for item in next..<end { list.append(runs[place].sources[item - runs[place].first]) } }
      runs[place].left -= end - next
      next = end
      place += 1
    }
    // The last is kept: what comes next may go on with it.
    while head < runs.count - 1, runs[head].left == 0 { head += 1 }
    if head >= 64, head * 2 >= runs.count {
      runs.removeFirst(head)
      head = 0
    }
    return isOne ? start : Sources(list)
  }

  /// The source of one item, which may have its outcome already.
  func source(of index: Int) -> Int? {
    guard head < runs.count, index >= runs[head].first, index < given else { return nil }
    let run = runs[run(of: index)]
    return run.sources[index - run.first]
  }

  private func run(of index: Int) -> Int {
    var (low, high) = (head, runs.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if runs[middle].first <= index { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
