/// Lines of a worker's standard error that are not what it has written itself: fields behind a mark.
enum RecordLine {
  /// The ASCII characters "record separator" and "unit separator".
  static let mark = UInt8(0x1e)
  private static let separator = UInt8(0x1f)

  /// The line, with its end. Characters that would end it, or one of its fields, are written as `%` and two digits.
  static func bytes(_ fields: [String]) -> [UInt8] {
    var bytes = [mark]
    for field in fields {
      for byte in field.utf8 {
        if byte < 0x20 || byte == UInt8(ascii: "%") {
          bytes.append(UInt8(ascii: "%"))
          bytes += [byte >> 4, byte & 15].map { Array("0123456789abcdef".utf8)[Int($0)] }
        } else {
          bytes.append(byte)
        }
      }
      bytes.append(separator)
    }
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }

  /// The fields that stand between the mark and the end of the line; nil if the last of them has no end.
  static func fields(_ bytes: some Collection<UInt8>) -> [String]? {
    var fields: [String] = []
    for field in Array(bytes).split(separator: separator, omittingEmptySubsequences: false) {
      fields.append(text(field))
    }
    // The last separator stands behind the last field.
    return fields.popLast() == "" ? fields : nil
  }

  private static func text(_ field: ArraySlice<UInt8>) -> String {
    var bytes: [UInt8] = []
    var rest = field
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
