/// Why values of a type cannot travel: what is wrong with it, or with one of its stored properties or cases.
struct Obstacle: Error {
  /// The names of the properties and cases that lead there.
  private var path: [String] = []
  private var beginsWithCase = false
  let type: Any.Type
  let reason: String

  init(type: Any.Type, reason: String) {
    self.type = type
    self.reason = reason
  }

  func within(_ property: String, isCase: Bool = false) -> Obstacle {
    var outer = self
    outer.path.insert(property, at: 0)
    outer.beginsWithCase = isCase
    return outer
  }

  /// What stands in the way of `whole`; nil where all that could be said is that it cannot travel.
  func text(for whole: Any.Type) -> String? {
    if !path.isEmpty {
      let first = beginsWithCase ? "case" : "property"
      // The elements of tuples bring a point of their own.
      let names = path.joined(separator: ".").split(separator: "..").joined(separator: ".")
      return "its \(first) \(names), of type \(readableTypeName(type)), is \(reason)"
    }
    if type != whole { return "\(readableTypeName(type)) is \(reason)" }
    return TypeKind(type).obstacle.map { "it is \($0)" }
  }
}
