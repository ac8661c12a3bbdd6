#if CLI
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How sources are read.
struct InputFormat: Sendable {
  enum Side: Sendable {
    case left
    case right
  }

  var separator: UInt8 = .newline
  /// Whether values of nothing but white space are left out.
  var skipsBlank = false
  var columns: ColumnSeparator?
  /// Where white space around values, or their columns, is left out.
  var trimmed: Set<Side> = []
  /// A descriptor that becomes readable when no more input is wanted.
  var stop: Int32 = -1
}

extension InputFormat {
  /// Reads `--trim`.
  /// - Throws: `UsageError` for what GNU parallel does not have.
  static func sides(_ text: String) throws -> Set<Side> {
    switch text {
    case "n": []
    case "l": [.left]
    case "r": [.right]
    case "lr", "rl": [.left, .right]
    default: throw UsageError("--trim '\(Shown.text(text))' is not n, l, r or lr")
    }
  }

  /// What a job gets of the values that were read.
  func values(from read: [Bytes]) -> [Bytes] {
    let values = columns.map { columns in read.flatMap(columns.split) } ?? read
    return trimmed.isEmpty ? values : values.map(trimming)
  }

  private func trimming(_ value: Bytes) -> Bytes {
    // As Perl's \s: space, and tab to carriage return.
    let isWhite = { (byte: UInt8) in byte == .space || (9...13).contains(byte) }
    var rest = value[...]
    if trimmed.contains(.left) { rest = rest.drop(while: isWhite) }
    while trimmed.contains(.right), let last = rest.last, isWhite(last) { rest.removeLast() }
    return Bytes(rest)
  }
}

/// Reads one source.
final class SourceReader {
  private var values: ArraySlice<Bytes> = []
  private var lines: LineReader?
  private let format: InputFormat
  /// It has no more values of its own.
  private(set) var hasEnded = false
  private var remembered: [Bytes] = []
  private var again = 0

  init(_ source: InputSources.Source, _ format: InputFormat) throws {
    self.format = format
    switch source {
    case .values(let values): self.values = values[...]
    case .file(let name):
      lines = LineReader(
        try .open(name, O_RDONLY), name: "'\(String(decoding: name, as: UTF8.self))'", separator: format.separator,
        stop: format.stop)
    case .standardInput:
      let copy = fcntl(0, F_DUPFD_CLOEXEC, 3)
      guard copy >= 0 else { throw SystemError("cannot read standard input") }
      lines = LineReader(
        Descriptor(owning: copy), name: "standard input", separator: format.separator, stop: format.stop)
    }
  }

  /// A pipe, terminal or socket under two names can be read once only, like standard input.
  static func refuseTwice(_ readers: [SourceReader]) throws {
    var seen: Set<[UInt64]> = []
    for reader in readers {
      guard let identity = reader.lines?.identityOfStream, !seen.insert(identity).inserted else { continue }
      throw UsageError("two sources are the same pipe or terminal, which can be read once only")
    }
  }

  /// A source without values next to others is one empty value, as in GNU parallel.
  func standsForNothing() throws {
    if lines == nil {
      if values.isEmpty { values = [[]] }
    } else if lines?.isKnownEmpty == true {
      lines = nil
      values = [[]]
    }
  }

  /// How many values there are still, where that can be told without reading them.
  func count() throws -> Int? {
    guard !format.skipsBlank else { return nil }
    guard let lines else { return values.count }
    return try lines.count()
  }

  func next() throws -> Bytes? {
    while let value = try nextOfAll() {
      if format.skipsBlank && value.allSatisfy({ [.space, .tab, .newline, 13].contains($0) }) { continue }
      return value
    }
    return nil
  }

  private func nextOfAll() throws -> Bytes? {
    guard let lines else { return values.popFirst() }
    guard var line = try lines.next() else { return nil }
    // A table from another system ends its lines with a carriage return, which is no part of the last column.
    if format.columns != nil && format.separator == .newline && line.last == 13 { line.removeLast() }
    return line
  }

  /// The next value, and after the last all of them again.
  ///
  /// - Parameter remembers: whether the values may be wanted again.
  func nextOrAgain(remembers: Bool) throws -> Bytes {
    if !hasEnded, let value = try next() {
      if remembers { remembered.append(value) }
      return value
    }
    hasEnded = true
    guard !remembered.isEmpty else { return [] }
    defer { again = (again + 1) % remembered.count }
    return remembered[again]
  }
}
#endif
