#if CLI
/// Quoting for shells of the Bourne family.
enum ShellQuoting {
  /// The text as one word that means exactly these bytes.
  ///
  /// Plain names stay as they are, so that logs read well.
  static func quote(_ text: Bytes) -> Bytes {
    if !text.isEmpty && text.allSatisfy(isPlain) { return text }
    var quoted: Bytes = [apostrophe]
    quoted.reserveCapacity(text.count + 2)
    for byte in text {
      if byte == apostrophe {
        quoted += Array(#"'"'"'"#.utf8)
      } else {
        quoted.append(byte)
      }
    }
    quoted.append(apostrophe)
    return quoted
  }

  private static let apostrophe = UInt8(ascii: "'")

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
      UInt8(ascii: "+"), UInt8(ascii: "/"):
      true
    default: false
    }
  }
}
#endif
