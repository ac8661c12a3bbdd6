/// The full name of a type, as users know it.
///
/// Private and local types have the address of their context in their name, different in every run; it is left out.
package func readableTypeName(_ type: Any.Type) -> String {
  var rest = Substring(String(reflecting: type))
  var name = ""
  let mark = "(unknown context at $"
  while let open = rest.firstIndex(of: "(") {
    name += rest[..<open]
    rest = rest[open...]
    if rest.hasPrefix(mark), let close = rest.firstIndex(of: ")") {
      rest = rest[close...].dropFirst()
      if rest.first == "." { rest.removeFirst() }
    } else {
      name.append(rest.removeFirst())
    }
  }
  name += rest
  // As it is written; the runtime leaves the word out.
  let isProtocol = TypeKind(type) == .existential && type != Any.self && type != AnyObject.self
  return isProtocol && !name.hasPrefix("any ") ? "any " + name : name
}
