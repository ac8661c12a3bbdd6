/// A value's beginning, as text: the whole of a large one would take as long as an item.
package enum BriefText {
  /// - Parameter most: characters.
  package static func of(_ value: Any, most: Int) -> String {
    String(text(of: value, most, isElement: false).prefix(most))
  }

  /// More than so many characters, if there are more.
  fileprivate static func text(of value: Any, _ most: Int, isElement: Bool) -> String {
    switch value {
    // First, for any other cast looks through it.
    case let wrapped as any Wrapping: return wrapped.start(most)
    case let text as String:
      // One more, so that what is cut off does not look whole.
      let start = String(text.prefix(most + 1))
      return isElement ? start.debugDescription : start
    case let list as any Listing: return list.start(most)
    default: return isElement ? String(reflecting: value) : "\(value)"
    }
  }
}

private protocol Wrapping {
  func start(_ most: Int) -> String
}

extension Optional: Wrapping {
  func start(_ most: Int) -> String {
    guard let self else { return "nil" }
    return "Optional(\(BriefText.text(of: self, most, isElement: true)))"
  }
}

/// The standard library's collections that print all of their elements.
private protocol Listing {
  func start(_ most: Int) -> String
}

extension Listing where Self: Sequence {
  func start(_ most: Int) -> String {
    var text = "["
    for element in self {
      if text.count > most { return text }
      if text.count > 1 { text += ", " }
      text += BriefText.text(of: element, most, isElement: true)
    }
    return text + "]"
  }
}

extension Array: Listing {}
extension ArraySlice: Listing {}
extension ContiguousArray: Listing {}
extension Set: Listing {}
extension Dictionary: Listing {
  func start(_ most: Int) -> String {
    if isEmpty { return "[:]" }
    var text = "["
    for (key, value) in self {
      if text.count > most { return text }
      if text.count > 1 { text += ", " }
      text += BriefText.text(of: key, most, isElement: true) + ": "
      text += BriefText.text(of: value, most, isElement: true)
    }
    return text + "]"
  }
}
