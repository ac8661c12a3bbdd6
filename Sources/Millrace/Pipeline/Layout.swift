extension Pipeline {
  /// The pipeline as text, a line for each stage, in the order of the data.
  ///
  /// A line is so many `>> ` as there are stages before it at the most, the stage's name, `×` and how many instances it has (`auto`: as
  /// many as there are slots free, 1: one, which sees its items in order), `on` and its backend if it has one of its own, and behind an
  /// arrow what it reads from. A source is one, in the program, and what only sends items on is there too: they have no backend. Stages that run together, in one go, have the same letter in brackets.
  ///
  /// Before the arrow is `≤` and how many items may be at the stage at once, at the first of those that run together; `∞`: there is no bound.
  /// They are those in its window (``StageOptions/window``), and what it keeps. A source that one stage reads has none: that one's
  /// window asks for what is read. The last line is either
  ///
  /// ```text
  /// at most 1234 items at once, edges included
  /// no bound on items: FlatMap may make any number of an item; Batch keeps what has no number of items
  /// ```
  ///
  /// An edge has room for 16, or where branches come together of which nobody knows what they make of one item, for 65,536, which it may
  /// have to be widened to. Whoever takes the outputs may have been handed what waited for him, and what was ready behind it. An array of a batch counts as the
  /// items in it, a row of a join as its parts. Memory is given back by the chunk, when its last item has gone on.
  ///
  /// Of a pipeline that would be refused when it is run, for an argument of a stage, an option or a backend's width, nothing is counted:
  /// there is no `≤`, and the last line says why, in the words of the error. What the system has against a stage, such as a file that cannot be
  /// opened, or a backend against a worker, is seen when it runs.
  ///
  /// ```text
  /// refused: Throttle is 0: it has to be 1 or more
  /// ```
  ///
  /// - Parameter pool: Where stages run that have no backend or width of their own, as it is now; nil: threads, one for each usable CPU.
  public func layout(on pool: WorkerPool? = nil) -> String { Blueprint(self).layout(on: pool) }
}

extension Station.Kind {
  /// Whether it runs in slots, and not in the program.
  fileprivate var hasSlots: Bool { self == .elastic || self == .floating }
}

extension Blueprint {
  func layout(on pool: WorkerPool?) -> String {
    let depths = graph.depths
    let (stages, stations) = (stages, Planner.stations(of: self))
    var letters: [Int: Character] = [:]
    for (number, station) in stations.filter({ $0.stages.count > 1 }).enumerated() {
      for stage in station.stages { letters[stage] = Character(UnicodeScalar(UInt8(97 + number % 26))) }
    }
    let kinds = Dictionary(
      uniqueKeysWithValues: stations.flatMap { station in station.stages.map { ($0, station.kind) } })
    let refusal = refusal(of: stations)
    let bound = refusal == nil ? Bound(self, stations, on: pool) : nil
    var held: [Int: Bound.Most] = [:]
    for (station, most) in bound?.ofStations ?? [:] { held[stations[station].stages[0]] = most }
    let lines = stages.enumerated().map { place, stage in
      var line = String(repeating: ">> ", count: depths[place]!) + stage.name
      switch kinds[place]! {
      case .elastic: line += " ×\(stage.width.map(String.init) ?? "auto")"
      case .floating: line += " ×\(stage.width ?? 1)"
      case .source: line += " ×1"
      case .wiring: break
      }
      if let backend = stage.options.backend, kinds[place]!.hasSlots { line += " on \(backend)" }
      if let letter = letters[place] { line += " [\(letter)]" }
      if let most = held[place] { line += " ≤ \(most.count.map(String.init) ?? "∞")" }
      if !stage.inputs.isEmpty {
        line += " ← " + stage.inputs.map { stages[$0].name }.joined(separator: ", ")
      }
      return line
    }
    return (lines + [bound?.sentence ?? "refused: \(refusal!)"]).joined(separator: "\n")
  }
}
