#if CLI
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reads records that end in a separator (the last one may lack it), as they come, without reading further than one
/// buffer ahead.
///
/// Ends early when the stop bell has rung, however long the input takes.
final class LineReader {
  private let input: Descriptor
  /// For errors.
  private let name: String
  private let separator: UInt8
  private let stop: Int32
  private var buffer = Bytes()
  private var position = 0
  private var ended = false

  init(_ input: consuming Descriptor, name: String, separator: UInt8, stop: Int32) {
    self.input = input
    self.name = name
    self.separator = separator
    self.stop = stop
  }

  /// What tells this stream from others, if it can be read once only; nil for files.
  var identityOfStream: [UInt64]? {
    var status = stat()
    guard fstat(input.rawValue, &status) == 0, status.st_mode & S_IFMT != S_IFREG else { return nil }
    // /dev/null is as empty the second time.
    return status.st_mode & S_IFMT == S_IFCHR && isatty(input.rawValue) == 0
      ? nil : [UInt64(status.st_dev), UInt64(status.st_ino)]
  }

  /// Whether it is a file with nothing in it.
  var isKnownEmpty: Bool {
    var status = stat()
    guard fstat(input.rawValue, &status) == 0 else { return false }
    if status.st_mode & S_IFMT == S_IFCHR { return isatty(input.rawValue) == 0 && isNull(status) }
    guard status.st_mode & S_IFMT == S_IFREG else { return false }
    let place = lseek(input.rawValue, 0, SEEK_CUR)
    guard place >= status.st_size else { return false }
    // Files of the kernel's have a size of 0, whatever is in them.
    var byte: UInt8 = 0
    return pread(input.rawValue, &byte, 1, place) == 0
  }

  private func isNull(_ status: stat) -> Bool {
    var null = stat()
    return stat("/dev/null", &null) == 0 && null.st_rdev == status.st_rdev
  }

  /// How many records a file still has, counted beside the reading; nil for what is no file.
  ///
  /// To be asked before the first record is read.
  func count() throws -> Int? {
    var status = stat()
    guard fstat(input.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    var place = lseek(input.rawValue, 0, SEEK_CUR)
    guard place >= 0 else { return nil }
    var count = 0
    var last = separator
    var piece = Bytes(repeating: 0, count: 256 * 1024)
    while true {
      let size = pread(input.rawValue, &piece, piece.count, place)
      if size < 0 && errno == EINTR { continue }
      guard size >= 0 else { throw SystemError("cannot read \(name)") }
      guard size > 0 else { return last == separator ? count : count + 1 }
      count += piece[..<size].count { $0 == separator }
      last = piece[size - 1]
      place += off_t(size)
    }
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
        pollfd(fd: input.rawValue, events: Int16(POLLIN), revents: 0),
        pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&events, 2, -1) >= 0 || errno == EINTR else { throw SystemError("cannot wait for input") }
      if events[1].revents != 0 { return false }
      let start = buffer.count
      buffer.append(contentsOf: repeatElement(0, count: size))
      let count = buffer.withUnsafeMutableBytes { read(input.rawValue, $0.baseAddress! + start, size) }
      let failure = errno
      buffer.removeSubrange((start + max(count, 0))...)
      if count > 0 { return true }
      if count == 0 {
        ended = true
        return true
      }
      guard failure == EINTR || failure == EAGAIN else { throw SystemError("cannot read \(name)", code: failure) }
    }
  }
}
#endif
