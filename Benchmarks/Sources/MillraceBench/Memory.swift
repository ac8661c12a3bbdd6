#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The resident memory of this program, in MiB, as Linux tells it.
enum Memory {
  struct Unknown: Error, CustomStringConvertible {
    let description: String
  }

  static func resident() throws -> Double { try status("VmRSS:") }

  /// The most that it has been since ``forgetPeak()``.
  static func peak() throws -> Double { try status("VmHWM:") }

  static func forgetPeak() throws {
    guard let file = fopen("/proc/self/clear_refs", "w") else {
      throw Unknown(description: "/proc/self/clear_refs cannot be written: the peak of memory stays unknown")
    }
    fputs("5", file)
    guard fclose(file) == 0 else { throw Unknown(description: "the peak of memory cannot be forgotten") }
  }

  private static func status(_ key: String) throws -> Double {
    guard let file = fopen("/proc/self/status", "r") else {
      throw Unknown(description: "/proc/self/status cannot be read")
    }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let words = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        .split(whereSeparator: \.isWhitespace)
      if words.count >= 2, words[0] == key, let kibibytes = Double(words[1]) { return kibibytes / 1_024 }
    }
    throw Unknown(description: "/proc/self/status has no \(key)")
  }
}
