#if CLI
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Arguments of any bytes through a parser of strings.
///
/// A byte that is not part of valid UTF-8 becomes a character of Unicode's last private plane and comes back as it was.
enum ArgumentBytes {
  private static let base: UInt32 = 0x10_FF00

  /// A string that stands for the bytes: themselves where they are UTF-8.
  static func string(from bytes: Bytes) -> String {
    if let string = String(validating: bytes, as: UTF8.self), !string.unicodeScalars.contains(where: isMark) {
      return string
    }
    var string = ""
    for byte in bytes {
      string.unicodeScalars.append(Unicode.Scalar(byte < 0x80 ? UInt32(byte) : base + UInt32(byte))!)
    }
    return string
  }

  static func string(cString: UnsafePointer<CChar>) -> String {
    string(from: Bytes(UnsafeRawBufferPointer(start: cString, count: strlen(cString))))
  }

  /// The bytes that a string from `string(from:)` stands for.
  static func bytes(from string: String) -> Bytes {
    guard string.unicodeScalars.contains(where: isMark) else { return Bytes(string.utf8) }
    return string.unicodeScalars.flatMap { scalar in
      isMark(scalar) ? [UInt8(scalar.value - base)] : Bytes(String(Character(scalar)).utf8)
    }
  }

  private static func isMark(_ scalar: Unicode.Scalar) -> Bool { scalar.value >= base && scalar.value <= base + 0xFF }

  /// The arguments of this program after its name.
  static func ofThisProgram() -> [String] {
    (1..<max(1, Int(CommandLine.argc))).compactMap { position in
      CommandLine.unsafeArgv[position].map { string(cString: $0) }
    }
  }
}
#endif
