/// Puts what several edges have together, item by item. An item that one of the branches has left out has no row.
struct Rows {
  private struct Cell {
    let value: (any Sendable)?
    let failure: Parcel?
    var isLeftOut = false
    let source: Int

    /// What travels beside it.
    var meta: Meta {
      if case .failure(_, _, let meta)? = failure?.content { return meta }
      return (value as? any TaggedValue)?.meta ?? Meta()
    }
  }
  private(set) var parcels: [Parcel] = []

  init(
    _ edges: [[Parcel]], inputs kinds: [any ItemKind], _ kind: any ItemKind,
    marksGaps: Bool, _ joiner: @Sendable ([any Sendable]) -> any Sendable
  ) {
    let columns = zip(edges, kinds).map { Self.column($0, $1) }
    var (values, sources): ([any Sendable], [Int]) = ([], [])
    func whole() -> [Parcel] {
      defer { (values, sources) = ([], []) }
      if values.isEmpty { return [] }
      return [Parcel(content: .values(kind.collect(values), from: 0), count: values.count, sources: Sources(sources))]
    }
    for row in columns[0].indices {
      let cells = columns.map { $0[row] }
      // The first branch's, as the row's; but none is told less of for another.
      let failures = cells.compactMap(\.failure)
      if let failure = failures.first(where: { $0.means == .theEnd }) ?? failures.first(where: { $0.means == .told })
        ?? failures.first
      {
        parcels += whole() + [Self.row(failure, cells)]
      } else if cells.contains(where: \.isLeftOut) {
        if marksGaps { parcels += whole() + [Parcel(content: .gap, count: 1, sources: Sources(from: cells[0].source))] }
      } else {
        values.append(joiner(cells.map { $0.value! }))
        sources.append(cells[0].source)
      }
    }
    parcels += whole()
  }

  /// A row of which a part has failed, with what travels beside all of its parts: of several that say something the earlier one's word holds.
  private static func row(_ parcel: Parcel, _ cells: [Cell]) -> Parcel {
    guard case .failure(let failure, let meaning, _) = parcel.content else { return parcel }
    var meta = Meta()
    for cell in cells { meta.merge(cell.meta) }
    return Parcel(content: .failure(failure, means: meaning, meta: meta), count: parcel.count, sources: parcel.sources)
  }

  private static func column(_ parcels: [Parcel], _ kind: any ItemKind) -> [Cell] {
    parcels.flatMap { parcel in
      (0..<parcel.count).map { place in
        switch parcel.content {
        case .failure: Cell(value: nil, failure: parcel, source: parcel.sources[0])
        case .gap: Cell(value: nil, failure: nil, isLeftOut: true, source: parcel.sources[place])
        case .values(let items, let offset):
          Cell(value: kind.value(items, offset + place), failure: nil, source: parcel.sources[place])
        }
      }
    }
  }
}
