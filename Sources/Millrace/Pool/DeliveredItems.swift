import MillraceIPC

/// Items that a consumer before this one has had: they are not run, and their outcomes, which nobody has kept, are passed over.
///
/// A bit for each item, the first of a byte its highest, as in a journal of theirs. Taken by one job, once.
package final class DeliveredItems: Knowing {
  private let bits: [UInt8]
  /// How many items have come.
  private let come = Lock(0)

  package init(_ bits: [UInt8]) { self.bits = bits }

  package static func isSet(_ index: Int, in bits: [UInt8]) -> Bool {
    index >> 3 < bits.count && bits[index >> 3] & 0x80 >> UInt8(index & 7) != 0
  }

  package var count: Int {
    let come = come.withLock { $0 }
    return bits.reduce(0) { $0 + $1.nonzeroBitCount } - (0..<come).reduce(0) { $0 + (Self.isSet($1, in: bits) ? 1 : 0) }
  }

  package func take(_ count: Int, _ cell: any AnyObject & Sendable) -> [Segment] {
    let first = come.withLock { come in
      defer { come += count }
      return come
    }
    var segments: [Segment] = []
    var index = first
    // Behind the last bit there is nothing to look for.
    let end = min(first + count, bits.count << 3)
    while index < end {
      guard Self.isSet(index, in: bits) else {
        index += 1
        continue
      }
      let start = index
      while index < end, Self.isSet(index, in: bits) { index += 1 }
      segments.append(Segment(range: start..<index, slot: 0, attempt: 0, content: .outputs(self), cell: cell))
    }
    return segments
  }
}

extension Segment {
  /// Whether there is nothing in it for the consumer.
  var wasDelivered: Bool { if case .outputs(let outputs) = content { outputs is DeliveredItems } else { false } }
}
