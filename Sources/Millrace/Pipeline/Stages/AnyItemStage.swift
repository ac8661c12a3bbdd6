/// A line of a builder that takes items of whatever type, and gives items of the same: it needs no type (`Take(3)`).
public protocol AnyItemStage: Sendable {
  /// What it is for items of a type.
  func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item>
}

/// A stage or source whose arguments may be wrong.
///
/// A pipeline is described where nothing can be thrown; so it is said when it begins.
package protocol CheckedStage {
  /// Throws an ``InvalidOption``, or what the system has against it. In the program, before anything was done.
  func check() throws
}

/// One that has something to do before anything runs.
package protocol PreparedStage: CheckedStage {
  /// Does it, when all of the pipeline's stages are in order. Throws what the system has against it.
  func prepare() throws
}

extension InvalidOption {
  /// Throws where the value is not in the range.
  static func check(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws(InvalidOption) {
    guard range.contains(value) else {
      let allowed =
        range.upperBound == .max ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
      throw InvalidOption(name: name, value: value, allowed: allowed)
    }
  }
}
