#if CLI
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The values of each job, one job after another.
///
/// The first sources are read as jobs are wanted, so an endless input is fine there; further ones are held, since
/// they are walked again for each value of the first.
final class InputCursor: Sequence, IteratorProtocol {
  private var first: [SourceReader]
  private let inner: [[[Bytes]]]
  private let format: InputFormat
  private var head: [Bytes]?
  private var odometer: [Int]
  private let recycles: Bool
  /// Rows of the first sources that were read to be counted.
  private var held: ArraySlice<[Bytes]>?
  private(set) var failure: (any Error)?

  init(_ sources: InputSources, _ format: InputFormat) throws {
    self.format = format
    recycles = sources.recycles
    var readers = try sources.groups.map { try $0.map { try SourceReader($0, format) } }
    try SourceReader.refuseTwice(readers.flatMap(\.self))
    let isOnly = readers.count == 1
    first = readers.isEmpty ? [] : readers.removeFirst()
    if !isOnly || first.count > 1 && recycles { try first.forEach { try $0.standsForNothing() } }
    inner = try readers.map { group in
      try group.forEach { try $0.standsForNothing() }
      var rows: [[Bytes]] = []
      while let row = try Self.row(of: group, recycles: false) { rows.append(row) }
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
        head = try nextHead()
      }
      guard let head else { return nil }
      var values = head
      for (rows, position) in zip(inner, odometer) { values += rows[position] }
      advance()
      return format.values(from: values)
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

  /// How many jobs there are.
  ///
  /// Where the first sources are lists and files, they are counted there; what else they are is read and held.
  /// - Throws: `UsageError` for more than can be reckoned with: years of jobs.
  func total() throws -> Int {
    var rows: Int?
    let counts = try first.map { try $0.count() }
    if !counts.contains(nil) {
      rows = recycles ? counts.compactMap(\.self).max() : counts.compactMap(\.self).min()
    }
    if rows == nil {
      var all: [[Bytes]] = []
      while let row = try nextHead() { all.append(row) }
      rows = all.count
      held = all[...]
    }
    return try inner.reduce(rows ?? 0) { total, rows in
      let (product, isTooLarge) = total.multipliedReportingOverflow(by: rows.count)
      // The last number that a `Double` knows exactly.
      guard !isTooLarge, product <= 1 << 53 else {
        throw UsageError(
          "there are more jobs than can be counted, as --halt with a percentage, --bar and --eta want it")
      }
      return product
    }
  }

  private func nextHead() throws -> [Bytes]? {
    held != nil ? held?.popFirst() : try Self.row(of: first, recycles: recycles)
  }

  /// One value of each linked source; nil as soon as one has ended, or all, where the shorter ones begin again.
  private static func row(of group: [SourceReader], recycles: Bool) throws -> [Bytes]? {
    guard !group.isEmpty else { return nil }
    var row: [Bytes] = []
    if recycles && group.count > 1 {
      for reader in group {
        // Of the last that goes on nothing has to be remembered.
        row.append(try reader.nextOrAgain(remembers: group.contains { $0 !== reader && !$0.hasEnded }))
      }
      return group.allSatisfy(\.hasEnded) ? nil : row
    }
    for reader in group {
      guard let value = try reader.next() else { return nil }
      row.append(value)
    }
    return row
  }
}
#endif
