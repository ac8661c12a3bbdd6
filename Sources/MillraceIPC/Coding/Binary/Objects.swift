/// Objects: where the class is not the one that the coder was told, its name goes ahead of the value.
///
/// Nothing but a type's own `Codable` conformance knows whether it makes that class again. Most do not: what was declared as a
/// superclass is read as one. So the reader looks at what comes out, and refuses what has become another class on the way.
final class ObjectEncoding<Object: Encodable>: EncodingShortcut {
  /// The last class, and its name.
  private var subclass: (type: Any.Type, name: String)?

  override func encode(_ value: UnsafeRawPointer, to state: EncodingState) throws {
    let object = value.assumingMemoryBound(to: Object.self)
    let type: Any.Type = type(of: object.pointee)
    if type == Object.self { return try state.encodeByContainers(at: object) }
    let start = state.writer.count
    state.writeMark(of: name(of: type))
    do { try state.encodeByContainers(at: object) } catch {
      if state.writer.count > start { state.writer.truncate(to: start) }
      throw error
    }
  }

  private func name(of type: Any.Type) -> String {
    if let subclass, subclass.type == type { return subclass.name }
    let name = readableTypeName(type)
    subclass = (type, name)
    return name
  }
}

/// The shortcuts of a class. Reading needs none: the mark tells.
enum ObjectShortcuts<Object: Encodable>: ShortcutProviding {
  static func encodingShortcut() -> EncodingShortcut? { ObjectEncoding<Object>() }
  static func decodingShortcut() -> DecodingShortcut? { nil }
}

extension EncodingState {
  fileprivate func writeMark(of name: String) {
    writer.append(Tag.object)
    withUTF8Bytes(of: name) { bytes in
      writer.append(varint: bytes.count)
      writer.append(contentsOf: bytes)
    }
  }
}

extension DecodingState {
  /// The name of an object's class, and the object.
  func unmarked(_ slot: Slot) throws -> (name: String, slot: Slot) {
    let (name, next) = try reader.objectName(at: slot.offset)
    let object = try self.slot(at: next, depth: slot.depth)
    guard object.tag != Tag.object else { throw corrupted(slot.start, "An object has two classes.") }
    return (String(decoding: name, as: UTF8.self), object)
  }

  /// Decodes an object that was of another class than the one that was declared where it was encoded.
  func decodeObject<T: Decodable>(_ type: T.Type, _ slot: Slot) throws -> T {
    let (name, object) = try unmarked(slot)
    // Whoever reads a value in place of the object knows what he does.
    guard TypeKind(type) == .class else { return try decode(type, object) }
    let value: T
    do { value = try decode(type, object) } catch {
      throw readableTypeName(type) == name ? error : sliced(name, type, slot, error)
    }
    let result: Any.Type = Swift.type(of: value)
    guard readableTypeName(result) == name else { throw sliced(name, result, slot, nil) }
    return value
  }

  private func sliced(_ name: String, _ type: Any.Type, _ slot: Slot, _ error: (any Error)?) -> DecodingError {
    let text = """
      An object of \(name) would arrive as \(readableTypeName(type)), the class that is declared for it: Codable makes that one. \
      Send values of one final class, or an enumeration of the classes.
      """
    return .typeMismatch(
      type, DecodingError.Context(codingPath: path(slot), debugDescription: text, underlyingError: error))
  }
}
