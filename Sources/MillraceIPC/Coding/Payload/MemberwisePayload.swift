/// Structures and tuples, stored property by stored property.
final class MemberwisePayload: CodedPayload, @unchecked Sendable {
  private let typeName: String
  private let members: Members

  init(_ typeName: String, _ members: Members) {
    self.typeName = typeName
    self.members = members
  }

  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    let start = writer.count
    do {
      for member in members.all {
        if let coding = member.coding {
          try coding._withUnsafeGuaranteedRef { try $0.write(value + member.offset, to: &writer) }
        } else {
          writer.appendUninitialized(member.byteCount).copyMemory(
            from: value + member.offset, byteCount: member.byteCount)
        }
      }
    } catch {
      writer.truncate(to: start)
      throw error
    }
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    let reader = ByteReader(bytes)
    var position = 0
    var made = 0
    do {
      for member in members.all {
        if let coding = member.coding {
          try coding._withUnsafeGuaranteedRef { try $0.read(reader, at: &position, into: value + member.offset) }
        } else {
          let bytes = try reader.bytes(member.byteCount, at: position)
          UnsafeMutableRawBufferPointer(start: value + member.offset, count: bytes.count).copyMemory(from: bytes)
          position += bytes.count
        }
        made += 1
      }
      guard position == bytes.count else {
        throw ByteReader.Malformed(offset: position, reason: "more than the properties")
      }
    } catch {
      for member in members.all[..<made] {
        member.coding?._withUnsafeGuaranteedRef { $0.destroy(value + member.offset) }
      }
      throw error is ByteReader.Malformed ? PayloadError.malformed(typeName, byteCount: bytes.count) : error
    }
  }
}
