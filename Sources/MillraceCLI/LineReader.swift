#if CLI
#if canImport(Glibc)
import Glibc
#endif

/// Reads records that end in a separator (the last one may lack it), as they come, without reading further than one
/// buffer ahead.
///
/// Ends early when the stop bell has rung, however long the input takes.
final class LineReader {
  private let input: Descriptor
  private let separator: UInt8
  private let stop: Int32
  private var buffer = Bytes()
  private var position = 0
  private var ended = false

  init(_ input: consuming Descriptor, separator: UInt8, stop: Int32) {
    self.input = input
    self.separator = separator
    self.stop = stop
  }

  /// The next record without its separator; nil at the end.
  func next() throws -> Bytes? {
    var searched = position
    while true {
      if let end = buffer[searched...].firstIndex(of: separator) {
        defer { position = end + 1 }
        return Bytes(buffer[position..<end])
      }
      searched = buffer.count - position
      if ended {
        defer { position = buffer.count }
        return position < buffer.count ? Bytes(buffer[position...]) : nil
      }
      buffer.removeSubrange(..<position)
      position = 0
      guard try readMore() else { return nil }
    }
  }

  /// Waits for input or for the stop; false on stop.
  private func readMore() throws -> Bool {
    let size = 64 * 1024
    while true {
      var events = [
        pollfd(fd: input.number, events: Int16(POLLIN), revents: 0),
        pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&events, 2, -1) >= 0 || errno == EINTR else { throw SystemError("cannot wait for input") }
      if events[1].revents != 0 { return false }
      let start = buffer.count
      buffer.append(contentsOf: repeatElement(0, count: size))
      let count = buffer.withUnsafeMutableBytes { read(input.number, $0.baseAddress! + start, size) }
      let failure = errno
      buffer.removeSubrange((start + max(count, 0))...)
      if count > 0 { return true }
      if count == 0 {
        ended = true
        return true
      }
      guard failure == EINTR || failure == EAGAIN else { throw SystemError("cannot read input", code: failure) }
    }
  }
}
#endif
