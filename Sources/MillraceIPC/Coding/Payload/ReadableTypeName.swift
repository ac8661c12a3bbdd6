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
  return name + rest
}
