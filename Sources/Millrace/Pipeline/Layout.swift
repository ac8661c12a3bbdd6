extension Pipeline {
  /// The pipeline as text, a line for each stage, in the order of the data.
  ///
  /// A line is so many `>> ` as there are stages before it at the most, the stage's name, `×` and how many instances it has (`auto`: as
  /// many as there are slots free, 1: one, which sees its items in order), `on` and its backend if it has one of its own, and behind an
  /// arrow what it reads from. Stages that run together, in one go, have the same letter in brackets.
  public func layout() -> String {
    let blueprint = Blueprint(self)
    let depths = blueprint.graph.depths
    let stations = Planner.stations(of: blueprint)
    var letters: [Int: Character] = [:]
    for (number, station) in stations.filter({ $0.stages.count > 1 }).enumerated() {
      for stage in station.stages { letters[stage] = Character(UnicodeScalar(UInt8(97 + number % 26))) }
    }
    let kinds = Dictionary(
      uniqueKeysWithValues: stations.flatMap { station in station.stages.map { ($0, station.kind) } })
    return blueprint.stages.enumerated().map { place, stage in
      var line = String(repeating: ">> ", count: depths[place]!) + stage.name
      switch kinds[place]! {
      case .elastic: line += " ×\(stage.width.map(String.init) ?? "auto")"
      case .floating, .source: line += " ×\(stage.width ?? 1)"
      case .wiring: break
      }
      if let backend = stage.options.backend { line += " on \(backend)" }
      if let letter = letters[place] { line += " [\(letter)]" }
      if !stage.inputs.isEmpty {
        line += " ← " + stage.inputs.map { blueprint.stages[$0].name }.joined(separator: ", ")
      }
      return line
    }.joined(separator: "\n")
  }
}
