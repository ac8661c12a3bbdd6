import CMillrace
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file that nobody else sees, for what a program writes beside its output: it never waits for a reader.
struct NamelessFile: Sendable {
  private let file: SharedDescriptor

  /// `O_TMPFILE`, which is no constant to Swift.
  private static let withoutName: Int32 = 0o20_000_000 | O_DIRECTORY

  init() {
    var written = millrace_fd_open("/tmp", O_RDWR | Self.withoutName, 0o600)
    if written < 0 { written = millrace_fd_open("/dev/null", O_RDWR, 0) }
    file = SharedDescriptor(owning: written)
  }

  var rawValue: Int32 { file.rawValue }

  func close() { file.close() }

  /// What was written last, a KiB at the most.
  var end: String {
    var bytes = [UInt8](repeating: 0, count: 1_024)
    let size = lseek(rawValue, 0, SEEK_END)
    let count = pread(rawValue, &bytes, bytes.count, max(0, size - off_t(bytes.count)))
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
