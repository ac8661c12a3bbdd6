internal import CMillrace

/// How the values of an enumeration travel: the number of their case, and what it carries.
struct EnumCoding: Sendable {
  struct Case: Sendable {
    /// Nil for a case that carries nothing.
    let coding: EnclosedCoding?
    /// What is in its box, if it has one.
    let boxed: Any.Type?
    let byteCount: Int
  }

  let typeName: String
  // Sound: nothing but constants of the executable.
  nonisolated(unsafe) let shape: EnumCases
  let cases: [Case]

  init(of type: Any.Type, in context: PayloadContext) throws(Obstacle) {
    if context.isWithin(type) {
      throw Obstacle(type: type, reason: "not Codable, and holds values of its own type")
    }
    guard let shape = EnumCases(of: type) else {
      throw Obstacle(type: type, reason: "an enumeration whose cases are not known at run time")
    }
    var cases: [Case] = []
    for each in shape.all {
      guard let payload = each.payload else {
        cases.append(Case(coding: nil, boxed: nil, byteCount: 0))
        continue
      }
      do throws(Obstacle) {
        let coding = enclosed(payload, try Payload.form(of: payload, in: context.within(type)))
        cases.append(
          Case(coding: coding, boxed: each.isIndirect ? payload : nil, byteCount: TypeLayout(payload).size))
      } catch {
        throw error.within(each.name, isCase: true)
      }
    }
    typeName = readableTypeName(type)
    self.shape = shape
    self.cases = cases
  }
}

/// Enumerations that are not `Codable`, or need not be asked.
final class EnumPayload<Value>: CodedPayload, @unchecked Sendable {
  private let type: EnumCoding

  init(_ type: EnumCoding) { self.type = type }

  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    let tag = type.shape.tag(of: value)
    let start = writer.count
    writer.append(varint: tag)
    guard let coding = type.cases[tag].coding else { return }
    do {
      // To see what it carries is to take it apart, so that is done with a copy.
      try withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { copy in
        guard let copy = copy.baseAddress else { return }
        copy.initialize(to: value.assumingMemoryBound(to: Value.self).pointee)
        type.shape.project(copy)
        defer {
          type.shape.inject(tag, copy)
          copy.deinitialize(count: 1)
        }
        let payload = UnsafeMutableRawPointer(copy)
        guard type.cases[tag].boxed != nil else { return try coding.write(payload, to: &writer) }
        let box = payload.load(as: UnsafeMutableRawPointer?.self)
        // There is no box around nothing; any place is good for that.
        try coding.write(millrace_box_place(box) ?? payload, to: &writer)
      }
    } catch {
      writer.truncate(to: start)
      throw error
    }
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    do { try decode(ByteReader(bytes), into: value) } catch is ByteReader.Malformed {
      throw PayloadError.malformed(type.typeName, byteCount: bytes.count)
    }
  }

  private func decode(_ reader: ByteReader, into value: UnsafeMutableRawPointer) throws {
    var (tag, position) = try reader.varint(at: 0)
    guard tag < type.cases.count else { throw ByteReader.Malformed(offset: 0, reason: "no case has this number") }
    let found = type.cases[tag]
    UnsafeMutableRawBufferPointer(start: value, count: MemoryLayout<Value>.size).initializeMemory(
      as: UInt8.self, repeating: 0)
    if let boxed = found.boxed, let coding = found.coding {
      let box = millrace_box_make(unsafeBitCast(boxed, to: UnsafeRawPointer.self))
      do { try read(coding, reader, &position, into: box.place) } catch {
        millrace_box_free(box.object)
        throw error
      }
      value.storeBytes(of: box.object, as: UnsafeMutableRawPointer.self)
      type.shape.inject(tag, value)
      return
    }
    if let coding = found.coding { try read(coding, reader, &position, into: value) } else { try end(reader, position) }
    try inject(tag, found, value)
  }

  /// Reads what is all the rest of the bytes.
  private func read(
    _ coding: EnclosedCoding, _ reader: ByteReader, _ position: inout Int, into place: UnsafeMutableRawPointer
  ) throws {
    try coding.read(reader, at: &position, into: place)
    do { try end(reader, position) } catch {
      coding.destroy(place)
      throw error
    }
  }

  private func end(_ reader: ByteReader, _ position: Int) throws {
    guard position == reader.count else { throw ByteReader.Malformed(offset: position, reason: "more than the case") }
  }

  /// Makes a value of what is there, if that is one.
  ///
  /// The case is told by bits that no valid value of what it carries has. But what is bitwise-copyable is taken as it is, so they may be
  /// set there: then it would be another case.
  private func inject(_ tag: Int, _ found: EnumCoding.Case, _ value: UnsafeMutableRawPointer) throws {
    let before = [UInt8](UnsafeRawBufferPointer(start: value, count: found.byteCount))
    type.shape.inject(tag, value)
    if type.shape.tag(of: value) == tag { return }
    before.withUnsafeBytes { value.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(value), byteCount: $0.count) }
    found.coding?.destroy(value)
    throw ByteReader.Malformed(offset: 0, reason: "what the case carries is no value")
  }
}
