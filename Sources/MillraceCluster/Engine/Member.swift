/// An agent, as the others see it.
package struct Member: Sendable, Equatable {
  /// A fresh one each time an agent starts.
  package var name: String
  package var host = ""
  package var process = 0
  /// How many chunks it runs at once.
  package var slots = 1
  /// Why it may not have work; empty: it may.
  package var refusal = ""
  /// How many results it has brought.
  package var results = 0
  /// How many more came too late: another had brought the same, or nobody wanted it any more.
  package var lateResults = 0
  /// Whether it was heard of within a lease.
  package var isAlive = true
  /// Whether it is to finish what it has, and end.
  package var isDraining = false

  package init(name: String) { self.name = name }

  /// What it says of itself, as it stands in the queue: readable there too.
  package var description: String {
    Fields([("host", host), ("process", "\(process)"), ("slots", "\(slots)"), ("refusal", refusal)]).text
  }

  package init(name: String, description: String) {
    let fields = Fields(description)
    self.name = name
    host = fields["host"] ?? ""
    process = fields["process"].flatMap { Int($0) } ?? 0
    slots = max(1, min(fields["slots"].flatMap { Int($0) } ?? 1, 4_096))
    refusal = fields["refusal"] ?? ""
  }
}

/// Names and values as lines, `name=value`: for what people may want to read in the queue.
package struct Fields: Sendable, Equatable {
  private var values: [(name: String, value: String)]

  package init(_ values: [(String, String)]) {
    self.values = values.map { ($0, $1.split(whereSeparator: \.isNewline).joined(separator: " ")) }
  }

  package init(_ text: String) {
    // As others' editors end them, too.
    values = text.split(whereSeparator: \.isNewline).compactMap { line in
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
    }
  }

  package var text: String { values.map { "\($0.name)=\($0.value)" }.joined(separator: "\n") }

  package var names: [String] { values.map(\.name) }

  package subscript(_ name: String) -> String? { values.first { $0.name == name }?.value }

  package static func == (left: Fields, right: Fields) -> Bool { left.text == right.text }
}
