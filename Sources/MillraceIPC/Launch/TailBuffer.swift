/// The last bytes of a stream: a worker's standard error, of which only the end explains its death.
package struct TailBuffer: Sendable {
  package static let standardLimit = 64 << 10

  private let limit: Int
  /// At most twice the limit: cut when it is reached, so that a byte is moved once on average.
  private var kept: [UInt8] = []
  /// All bytes that ever came.
  package private(set) var totalBytes = 0

  package init(limit: Int = standardLimit) {
    precondition(limit > 0, "a tail buffer's limit is at least 1 byte, not \(limit)")
    self.limit = limit
  }

  package mutating func take(_ bytes: UnsafeRawBufferPointer) {
    totalBytes += bytes.count
    if bytes.count >= limit {
      kept = Array(bytes.suffix(limit))
      return
    }
    if kept.count + bytes.count > 2 * limit { kept.removeFirst(kept.count - limit) }
    kept += bytes
  }

  /// Whether the beginning of the stream is lost.
  package var isTruncated: Bool { totalBytes > limit }

  package var bytes: ArraySlice<UInt8> { kept.suffix(limit) }

  /// The end of the stream as text.
  ///
  /// What is not UTF-8 is repaired; a character cut in half at the front is left out.
  package var text: String { text(after: 0) }

  /// Of that, what came after so many bytes of the stream.
  package func text(after start: Int) -> String {
    let start = min(max(0, start), totalBytes)
    var bytes = bytes.suffix(totalBytes - start)
    if totalBytes - start > limit {
      let isContinuation = { (byte: UInt8) in byte & 0b1100_0000 == 0b1000_0000 }
      let cut = bytes.prefix(3).prefix(while: isContinuation).count
      bytes = bytes.dropFirst(cut)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  package mutating func removeAll() {
    kept = []
    totalBytes = 0
  }
}
