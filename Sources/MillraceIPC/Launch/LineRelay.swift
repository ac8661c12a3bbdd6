/// Passes a stream of bytes on in whole lines, so that the output of several workers does not mix within a line.
///
/// As many lines as there are go in one call. A line longer than the limit goes in pieces.
package struct LineRelay: Sendable {
  package static let standardLimit = 1 << 20

  private let limit: Int
  /// The begun line: no newline in it, shorter than the limit.
  private var begun: [UInt8] = []

  package init(limit: Int = standardLimit) {
    precondition(limit > 0, "a line relay's limit is at least 1 byte, not \(limit)")
    self.limit = limit
  }

  /// Takes bytes as they come, and passes on what they complete.
  ///
  /// The sink must not keep the buffer.
  package mutating func take(_ bytes: UnsafeRawBufferPointer, sink: (UnsafeRawBufferPointer) -> Void) {
    var rest = bytes[...]
    if let end = rest.lastIndex(of: UInt8(ascii: "\n")) {
      let lines = UnsafeRawBufferPointer(rebasing: rest[...end])
      if begun.isEmpty {
        sink(lines)
      } else {
        begun += lines
        pass(to: sink)
      }
      rest = rest[(end + 1)...]
    }
    while !rest.isEmpty {
      let piece = rest.prefix(limit - begun.count)
      begun += piece
      rest = rest[piece.endIndex...]
      if begun.count == limit { pass(to: sink) }
    }
  }

  /// At the end of the stream: passes on a last line without a newline.
  package mutating func finish(sink: (UnsafeRawBufferPointer) -> Void) {
    if !begun.isEmpty { pass(to: sink) }
  }

  private mutating func pass(to sink: (UnsafeRawBufferPointer) -> Void) {
    begun.withUnsafeBytes(sink)
    begun.removeAll(keepingCapacity: begun.count <= 4096)
  }
}
