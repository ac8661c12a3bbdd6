/// What a run of a pipeline is at, stage by stage.
public struct PipelineSnapshot: Sendable, Hashable {
  /// Stages that run together, or one.
  public struct Stage: Sendable, Hashable {
    /// Its name; of stages that run together their names, with arrows between them.
    public let name: String
    /// How many items it may work on at once. Stages without slots of their own share those of the pipeline.
    public let slots: Int
    /// Items that wait before it.
    public internal(set) var waiting = 0
    /// Items that it has been given, and that have no outcome.
    public internal(set) var underWay = 0
    /// Items that it is done with.
    public internal(set) var done = 0
    /// Items that have failed there.
    public internal(set) var failed = 0
    /// How long its workers have worked, all together, on the chunks that they are done with.
    public internal(set) var busy = Duration.zero
    /// The share of its slots' time in which they worked, from 0 to 1.
    public internal(set) var load = 0.0
    /// Whether it makes no more.
    public internal(set) var hasEnded = false
  }

  /// In the order of the data.
  public internal(set) var stages: [Stage]
  /// Since the run began.
  public internal(set) var elapsed: Duration

  /// The stage whose slots have the least time left: of several the one further down. Nil as long as nothing was done.
  ///
  /// More slots for it make the run faster; for others they do not.
  public var bottleneck: Stage? {
    stages.filter { $0.load > 0 }.reversed().max { $0.load < $1.load }
  }

  /// How so many workers would be shared out by the work that there is: at least one for each stage, in the order of `stages`.
  ///
  /// - Parameter workers: How many there are, from 1 to 4096, which is as wide as a pool can be: more count as 4096, fewer as 1.
  public func suggestedWidths(workers: Int) -> [Int] {
    let workers = min(max(workers, 1), WorkerPool.Backend.maximumWidth)
    return Self.shares(of: workers, by: stages.map(\.busy.nanoseconds))
  }

  /// The shares with which the one that has most to do for each of its own has the least: at least one each, and each next one to that.
  package static func shares(of count: Int, by weights: [UInt64]) -> [Int] {
    var shares = weights.map { _ in 1 }
    guard weights.contains(where: { $0 > 0 }) else { return shares }
    for _ in 0..<max(0, count - weights.count) {
      // Of several the largest.
      let place = weights.indices.max {
        let (first, second) = (Double(weights[$0]) / Double(shares[$0]), Double(weights[$1]) / Double(shares[$1]))
        return first == second ? weights[$0] < weights[$1] : first < second
      }
      shares[place!] += 1
    }
    return shares
  }
}

extension PipelineSnapshot {
  /// What is known of a stage where widths are to be found.
  package struct Part {
    package var busy: UInt64
    package var slots: Int
    /// With whom it has a width of its own in common, which might be another; nil: it takes slots of the pipeline's as it needs them, or sees its
    /// items in order, in one.
    package var group: ObjectIdentifier?

    package init(busy: UInt64, slots: Int, group: ObjectIdentifier?) {
      (self.busy, self.slots, self.group) = (busy, slots, group)
    }
  }

  /// The other widths with which the run would be faster by a tenth or more, of each stage; nil: it keeps its own.
  ///
  /// Those are shared out that the groups with a width of their own have, or so many workers, if that is more. Stages of one group work in
  /// the same slots.
  package static func betterWidths(_ parts: [Part], slowest: Int, workers: Int) -> [Int?] {
    var groups: [(group: ObjectIdentifier, slots: Int, busy: UInt64)] = []
    for part in parts {
      guard let group = part.group else { continue }
      if let known = groups.firstIndex(where: { $0.group == group }) {
        groups[known].busy += part.busy
      } else {
        groups.append((group, part.slots, part.busy))
      }
    }
    let none = parts.map { _ in Int?.none }
    guard let own = groups.first(where: { $0.group == parts[slowest].group }) else { return none }
    let widths = shares(of: max(workers, groups.reduce(0) { $0 + $1.slots }), by: groups.map(\.busy))
    // What has no width of its own is not made faster.
    let others = parts.filter { $0.group == nil }.map { Double($0.busy) / Double($0.slots) }
    let longest = (zip(groups, widths).map { Double($0.busy) / Double($1) } + others).max() ?? 0
    guard Double(own.busy) / Double(own.slots) >= Balancer.gain * longest else { return none }
    return parts.map { part in
      let width = groups.firstIndex { $0.group == part.group }.map { widths[$0] }
      return width == part.slots ? nil : width
    }
  }
}

extension PipelineSnapshot: CustomStringConvertible {
  /// A line for each stage: `name ×slots: done, failed, waiting, load`, and behind the bottleneck's that it is that.
  public var description: String {
    let slowest = bottleneck
    return stages.map { stage in
      var line = "\(stage.name) ×\(stage.slots): \(stage.done) done"
      if stage.failed > 0 { line += ", \(stage.failed) failed" }
      line += ", \(stage.waiting) waiting, \(Int((stage.load * 100).rounded())) % busy"
      return stage == slowest ? line + " ← bottleneck" : line
    }.joined(separator: "\n")
  }
}
