/// Strings as UTF-8, validated on arrival.
final class StringBlocks: BlockCoding, @unchecked Sendable {
  override func byteCount(of value: UnsafeRawPointer) -> Int {
    value.assumingMemoryBound(to: String.self).pointee.utf8.count
  }

  override func write(_ value: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
    withUTF8Bytes(of: value.assumingMemoryBound(to: String.self).pointee) { copy($0, to: target) }
  }

  override func read(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) -> Bool {
    guard let text = String(validUTF8: bytes) else { return false }
    value.initializeMemory(as: String.self, to: text)
    return true
  }
}

/// A part of a string: its own characters, and nothing of the string that it was cut from.
final class SubstringBlocks: BlockCoding, @unchecked Sendable {
  override func byteCount(of value: UnsafeRawPointer) -> Int {
    value.assumingMemoryBound(to: Substring.self).pointee.utf8.count
  }

  override func write(_ value: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
    let text = value.assumingMemoryBound(to: Substring.self)
    var copied = text.pointee
    copied.withUTF8 { copy(UnsafeRawBufferPointer($0), to: target) }
  }

  override func read(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) -> Bool {
    guard let text = String(validUTF8: bytes) else { return false }
    value.initializeMemory(as: Substring.self, to: text[...])
    return true
  }
}

final class CharacterBlocks: BlockCoding, @unchecked Sendable {
  override func byteCount(of value: UnsafeRawPointer) -> Int {
    value.assumingMemoryBound(to: Character.self).pointee.utf8.count
  }

  override func write(_ value: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
    withUTF8Bytes(of: String(value.assumingMemoryBound(to: Character.self).pointee)) { copy($0, to: target) }
  }

  override func read(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) -> Bool {
    // To make a character of more or less than one ends the program.
    guard let text = String(validUTF8: bytes), let character = text.first, text.dropFirst().isEmpty else {
      return false
    }
    value.initializeMemory(as: Character.self, to: character)
    return true
  }
}

/// Whether fewer than 16 bytes are all ASCII: their first and last words are looked at, which may overlap.
private func isShortASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
  func ends<Word: FixedWidthInteger & BitwiseCopyable>(_: Word.Type) -> Word {
    bytes.loadUnaligned(as: Word.self)
      | bytes.loadUnaligned(fromByteOffset: bytes.count - MemoryLayout<Word>.size, as: Word.self)
  }
  if bytes.count >= 8 { return ends(UInt64.self) & 0x8080_8080_8080_8080 == 0 }
  if bytes.count >= 4 { return ends(UInt32.self) & 0x8080_8080 == 0 }
  return bytes.allSatisfy { $0 < 0x80 }
}

extension String {
  /// A copy of `bytes`, or nil if they are not UTF-8.
  init?(validUTF8 bytes: UnsafeRawBufferPointer) {
    if bytes.count < 16, isShortASCII(bytes) {
      // ASCII that fits in the string itself; nothing is repaired.
      self.init(unsafeUninitializedCapacity: bytes.count) {
        UnsafeMutableRawBufferPointer($0).copyMemory(from: bytes)
        return bytes.count
      }
    } else if bytes.count < 256 {
      // The repairing initialiser is the faster one for short strings. What it had to repair is not what came in.
      self = bytes.withMemoryRebound(to: UInt8.self) { String(decoding: $0, as: UTF8.self) }
      guard withUTF8Bytes(of: self, { isEqual($0, bytes) }) else { return nil }
    } else {
      guard let text = bytes.withMemoryRebound(to: UInt8.self, { String(validating: $0, as: UTF8.self) }) else {
        return nil
      }
      self = text
    }
  }
}
