extension ByteReader {
  /// The keys that lead from the root to the value at `target`: found by walking there, so that coding itself never keeps a path.
  ///
  /// `target` is the offset of a value's tag or of an element in a block. Of malformed bytes it is the path up to the damage.
  func path(to target: Int) -> [any CodingKey] {
    var path: [any CodingKey] = []
    try? walk(to: target, path: &path)
    return path
  }

  private func walk(to target: Int, path: inout [any CodingKey]) throws(Malformed) {
    var at = 0
    while at < target {
      switch try load(UInt8.self, at: at) {
      case Tag.some:
        at += 1
      case Tag.object:
        at = try objectName(at: at + 1).next
      case Tag.wrapper:
        at += 9
      case Tag.keyed:
        var entry = at + 9
        let end = try containerEnd(at: at + 1)
        var found: (key: Key, value: Int)?
        while found == nil, entry < end {
          let key = try key(at: entry)
          if try reaches(target, key.next, end: end, next: &entry) { found = (key, key.next) }
        }
        guard let found else { return }
        path.append(PathKey(stringValue: String(decoding: found.key.name, as: UTF8.self), intValue: found.key.number))
        at = found.value
      case Tag.unkeyed:
        var element = at + 13
        let end = try containerEnd(at: at + 1)
        var index = 0
        var found: Int?
        while found == nil, element < end {
          let value = element
          if try reaches(target, value, end: end, next: &element) { found = value } else { index += 1 }
        }
        // The element that is about to be written, or was looked for in vain, is behind the last one.
        path.append(PathKey(index: index))
        guard let found else { return }
        at = found
      case Tag.block:
        let block = try block(at: at + 1)
        path.append(PathKey(index: (target - block.start) / (Tag.scalarSize(block.element) ?? 1)))
        return
      default:
        return
      }
    }
  }

  /// Whether the value at `value` is `target` or holds it; otherwise `next` is the offset after the value.
  private func reaches(_ target: Int, _ value: Int, end: Int, next: inout Int) throws(Malformed) -> Bool {
    // What an optional or an object is marked with is in front of it.
    var unmarked = value
    while unmarked < count {
      let tag = try load(UInt8.self, at: unmarked)
      guard tag == Tag.some || tag == Tag.object else { break }
      unmarked = try tag == Tag.some ? unmarked + 1 : objectName(at: unmarked + 1).next
    }
    // The value at the very end of the bytes is only about to be written.
    if target <= unmarked || unmarked == count { return true }
    next = try skip(at: value, limit: end)
    if target < next { return true }
    if target > next { return false }
    return try isOpen(unmarked)
  }
  /// Whether the value is a container that is still being written, so that the end of the bytes is inside of it.
  private func isOpen(_ value: Int) throws(Malformed) -> Bool {
    switch try load(UInt8.self, at: value) {
    case Tag.keyed, Tag.unkeyed, Tag.wrapper: return try load(UInt64.self, at: value + 1) == Tag.openLength
    default: return false
    }
  }
}
