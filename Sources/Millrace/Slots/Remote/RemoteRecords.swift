package import MillraceIPC

/// Values of different sizes, one behind the other: a length of 8 bytes, then the bytes, padded to 8.
package enum Records {
  /// Instead of a length: the item could not be encoded; its text follows as a record.
  static let poison: UInt64 = .max

  static func size(_ bytes: Int) -> Int { 8 + (bytes + 7) & ~7 }

  /// Takes the next record off the front of `rest`: its bytes and whether it is poison.
  package static func next(_ rest: inout UnsafeRawBufferPointer) throws -> (
    bytes: UnsafeRawBufferPointer, isPoison: Bool
  ) {
    var length = try take(&rest)
    let isPoison = length == poison
    if isPoison { length = try take(&rest) }
    let size = Int(clamping: length)
    guard size <= rest.count else { throw WireProblem("a record of \(length) bytes where \(rest.count) are left") }
    let bytes = UnsafeRawBufferPointer(rebasing: rest[..<size])
    rest = UnsafeRawBufferPointer(rebasing: rest[min(rest.count, (size + 7) & ~7)...])
    return (bytes, isPoison)
  }

  static func take(_ rest: inout UnsafeRawBufferPointer) throws -> UInt64 {
    guard rest.count >= 8 else { throw WireProblem("\(rest.count) bytes where a length or a number is missing") }
    defer { rest = UnsafeRawBufferPointer(rebasing: rest[8...]) }
    return rest.loadUnaligned(as: UInt64.self)
  }

  package static func append(_ value: UnsafeRawBufferPointer, isPoison: Bool = false, to writer: inout ByteWriter) {
    if isPoison { writer.append(poison) }
    writer.append(UInt64(value.count))
    writer.append(contentsOf: value)
    pad(&writer)
  }

  static func pad(_ writer: inout ByteWriter) {
    while writer.count & 7 != 0 { writer.append(UInt8(0)) }
  }
}
