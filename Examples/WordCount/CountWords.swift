import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Counts the words of files, as `wc -w` does in the C locale: runs of bytes between ASCII white space.
struct CountWords: Worker, Codable {
  /// Whether a word needs a printable ASCII character, as older versions of `wc` have it.
  var needsPrintable = false
  /// The file that the worker traps on, to show what that costs.
  var fatalFile: String?

  /// The buffer that a worker reads through: made once, kept for all its files.
  func setUp(_ context: WorkerContext) -> [UInt8] { [UInt8](repeating: 0, count: 64 << 10) }

  func process(_ path: String, state buffer: inout [UInt8]) throws -> Int {
    if path == fatalFile {
      let noBytes: [UInt8] = []
      return Int(noBytes[path.utf8.count])
    }
    guard let file = fopen(path, "rb") else { throw Unreadable(path: path, code: errno) }
    defer { fclose(file) }
    var counter = WordCounter(needsPrintable: needsPrintable)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { break }
      counter.take(buffer[..<count])
    }
    guard ferror(file) == 0 else { throw Unreadable(path: path, code: errno) }
    return counter.finish()
  }
}

/// A file that cannot be read.
///
/// `Codable`, so that it comes back from a worker process as it is.
struct Unreadable: Error, Codable, CustomStringConvertible {
  var path: String
  var code: Int32
  var description: String { "\(path): \(String(cString: strerror(code)))" }
}

/// Counts words in bytes that come in pieces.
struct WordCounter {
  let needsPrintable: Bool
  private var words = 0
  private var isInWord = false

  init(needsPrintable: Bool) { self.needsPrintable = needsPrintable }

  mutating func take(_ bytes: ArraySlice<UInt8>) {
    for byte in bytes {
      switch byte {
      case 0x09...0x0D, 0x20:
        if isInWord { words += 1 }
        isInWord = false
      case 0x21...0x7E: isInWord = true
      default: if !needsPrintable { isInWord = true }
      }
    }
  }

  func finish() -> Int { isInWord ? words + 1 : words }
}
