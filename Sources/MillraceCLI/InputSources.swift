#if CLI
#if canImport(Glibc)
import Glibc
#endif

/// Where the values of the jobs come from, and how they are combined: sources multiply, linked sources go side by side.
struct InputSources: Equatable, Sendable {
  enum Source: Equatable, Sendable {
    case values([Bytes])
    case file(Bytes)
    case standardInput
  }

  /// Sources that are read in step: the first and those linked to it.
  typealias Group = [Source]

  var groups: [Group]

  init(groups: [Group]) { self.groups = groups }

  /// Takes the words of a command line apart: the command, and what stands after `:::`, `::::`, `:::+` and `::::+`.
  ///
  /// Files of `-a` come first; without any source, lines of standard input are the values.
  static func split(_ words: [Bytes], files: [Bytes]) -> (command: [Bytes], sources: InputSources) {
    let isMark = { (word: Bytes) in Mark(word: word) != nil }
    let command = words.prefix { !isMark($0) }
    var groups: [Group] = files.map { [file($0)] }
    var rest = words.dropFirst(command.count)
    while let mark = rest.popFirst().flatMap(Mark.init(word:)) {
      let values = rest.prefix { !isMark($0) }
      rest = rest.dropFirst(values.count)
      let sources: [Source] = mark.holdsFiles ? values.map(file) : [.values(Array(values))]
      for source in sources {
        if mark.isLinked, !groups.isEmpty {
          groups[groups.count - 1].append(source)
        } else {
          groups.append([source])
        }
      }
    }
    let isGiven = !files.isEmpty || command.count < words.count
    return (Array(command), InputSources(groups: isGiven ? groups : [[.standardInput]]))
  }

  private static func file(_ name: Bytes) -> Source {
    name == [UInt8(ascii: "-")] ? .standardInput : .file(name)
  }

  private struct Mark {
    var isLinked: Bool
    var holdsFiles: Bool

    init?(word: Bytes) {
      switch String(decoding: word, as: UTF8.self) {
      case ":::": (isLinked, holdsFiles) = (false, false)
      case "::::": (isLinked, holdsFiles) = (false, true)
      case ":::+": (isLinked, holdsFiles) = (true, false)
      case "::::+": (isLinked, holdsFiles) = (true, true)
      default: return nil
      }
    }
  }
}

/// How sources are read.
struct InputFormat: Sendable {
  var separator: UInt8 = .newline
  var columns: ColumnSeparator?
  /// A descriptor that becomes readable when no more input is wanted.
  var stop: Int32 = -1
}

/// The values of each job, one job after another.
///
/// The first sources are read as jobs are wanted, so an endless input is fine there; further ones are held, since
/// they are walked again for each value of the first.
final class InputCursor: Sequence, IteratorProtocol {
  private var first: [SourceReader]
  private let inner: [[[Bytes]]]
  private let columns: ColumnSeparator?
  private var head: [Bytes]?
  private var odometer: [Int]
  private(set) var failure: (any Error)?

  init(_ sources: InputSources, _ format: InputFormat) throws {
    columns = format.columns
    var readers = try sources.groups.map { try $0.map { try SourceReader($0, format) } }
    let isOnly = readers.count == 1
    first = readers.isEmpty ? [] : readers.removeFirst()
    if !isOnly { first.forEach { $0.standsForNothing() } }
    inner = try readers.map { group in
      group.forEach { $0.standsForNothing() }
      var rows: [[Bytes]] = []
      while let row = try Self.row(of: group) { rows.append(row) }
      return rows
    }
    odometer = inner.map { _ in 0 }
  }

  /// The next job's values.
  ///
  /// After an error of an input there are none; see `failure`.
  func next() -> [Bytes]? {
    guard failure == nil, !inner.contains(where: \.isEmpty) else { return nil }
    do {
      if head == nil {
        head = try Self.row(of: first)
      }
      guard let head else { return nil }
      var values = head
      for (rows, position) in zip(inner, odometer) { values += rows[position] }
      advance()
      return columns.map { columns in values.flatMap(columns.split) } ?? values
    } catch {
      failure = error
      return nil
    }
  }

  /// The last source turns fastest.
  private func advance() {
    for place in inner.indices.reversed() {
      odometer[place] += 1
      if odometer[place] < inner[place].count { return }
      odometer[place] = 0
    }
    head = nil
  }

  /// One value of each linked source; nil as soon as one has ended.
  private static func row(of group: [SourceReader]) throws -> [Bytes]? {
    guard !group.isEmpty else { return nil }
    var row: [Bytes] = []
    for reader in group {
      guard let value = try reader.next() else { return nil }
      row.append(value)
    }
    return row
  }
}

/// Reads one source.
private final class SourceReader {
  private var values: ArraySlice<Bytes> = []
  private var lines: LineReader?

  init(_ source: InputSources.Source, _ format: InputFormat) throws {
    switch source {
    case .values(let values): self.values = values[...]
    case .file(let name):
      lines = LineReader(try .open(name, O_RDONLY), separator: format.separator, stop: format.stop)
    case .standardInput:
      let copy = fcntl(0, F_DUPFD_CLOEXEC, 3)
      guard copy >= 0 else { throw SystemError("cannot read standard input") }
      lines = LineReader(Descriptor(owning: copy), separator: format.separator, stop: format.stop)
    }
  }

  /// A list without values next to other sources is one empty value, as in GNU parallel.
  func standsForNothing() {
    if lines == nil && values.isEmpty { values = [[]] }
  }

  func next() throws -> Bytes? {
    guard let lines else { return values.popFirst() }
    return try lines.next()
  }
}
#endif
