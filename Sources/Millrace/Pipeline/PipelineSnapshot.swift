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
  public func suggestedWidths(workers: Int) -> [Int] { Self.shares(of: workers, by: stages.map(\.busy.nanoseconds)) }

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
