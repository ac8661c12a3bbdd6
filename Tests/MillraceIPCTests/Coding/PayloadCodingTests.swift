import Foundation
import MillraceIPC
import Testing

@Suite struct PayloadCodingTests {
  struct Point: Equatable {
    var x: Double
    var n: Int8
  }

  struct Record: Codable, Equatable {
    var name: String
    var points: [Int]
  }

  /// Sends a value through bytes that are not aligned.
  func send<V: Equatable>(_ value: V, sourceLocation: SourceLocation = #_sourceLocation) throws -> Int {
    let coding = try Payload.coding(for: V.self)
    for offset in 0..<4 {
      var writer = ByteWriter()
      for _ in 0..<offset { writer.append(UInt8(0xEE)) }
      try coding.encode(value, into: &writer)
      let bytes = UnsafeRawBufferPointer(rebasing: writer.bytes[offset...])
      #expect(try coding.decode(from: bytes) == value, sourceLocation: sourceLocation)
      guard let count = coding.byteCount(of: value) else { continue }
      #expect(count == bytes.count, sourceLocation: sourceLocation)
      let target = UnsafeMutableRawBufferPointer.allocate(byteCount: offset + count + 1, alignment: 16)
      defer { target.deallocate() }
      target[offset + count] = 0xAA
      coding.write(value, to: target.baseAddress! + offset)
      #expect(target[offset + count] == 0xAA, sourceLocation: sourceLocation)
      let written = UnsafeRawBufferPointer(rebasing: target[offset..<offset + count])
      #expect(try coding.decode(from: written) == value, sourceLocation: sourceLocation)
    }
    var writer = ByteWriter()
    try coding.encode(value, into: &writer)
    return writer.count
  }

  @Test func bitwiseValues() throws {
    #expect(try send(-5) == 8)
    #expect(try send(Point(x: 1.5, n: -3)) == 16)
    #expect(try send(true) == 1)
    #expect(try send(Int?.none) == 9 || MemoryLayout<Int?>.stride == 16)
    #expect(try send(UUID()) == 16)
    #expect(try Payload.coding(for: Point.self).fixedStride == 16)
    #expect(try Payload.coding(for: (Int, UInt8).self).fixedStride == 16)
  }

  @Test func nothingTakesNoBytes() throws {
    let coding = try Payload.coding(for: Void.self)
    #expect(coding.fixedStride == 0)
    var writer = ByteWriter()
    try coding.encode((), into: &writer)
    #expect(writer.count == 0)
    try coding.decode(from: writer.bytes)
    try coding.decode(from: UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(throws: PayloadError.self) { try coding.decode(from: UnsafeRawBufferPointer(start: writer.base, count: 1)) }
    enum Only: Equatable { case one }
    #expect(try send([Only.one, .one, .one]) == 3)
  }

  @Test func blocks() throws {
    #expect(try send("") == 0)
    #expect(try send("twelve chars") == 12)
    #expect(try send(String(repeating: "水", count: 1000)) == 3000)
    #expect(try send([UInt8]()) == 0)
    #expect(try send([UInt8](repeating: 7, count: 1000)) == 1000)
    #expect(try send([1, 2, 3]) == 24)
    #expect(try send(ContiguousArray<Float>([1, .infinity])) == 8)
    #expect(try send([1, 2, 3, 4][1...2]) == 16)
    #expect(try send((0..<100).map { Point(x: Double($0), n: Int8($0)) }) == 1600)
    #expect(try send(Data(repeating: 9, count: 333)) == 333)
    #expect(try send(Data(repeating: 9, count: 333).dropFirst(30)) == 303)
    #expect(try send(Data()) == 0)
    #expect(try Payload.coding(for: [Int].self).fixedStride == nil)
  }

  @Test func blocksOfWrongBytesThrow() throws {
    let bytes: [UInt8] = [0xFF, 0xFE, 0xFD]
    func decode<V>(_ type: V.Type) throws -> V {
      try bytes.withUnsafeBytes { try Payload.coding(for: type).decode(from: $0) }
    }
    #expect(throws: PayloadError.malformed("Swift.String", byteCount: 3)) { try decode(String.self) }
    #expect(throws: PayloadError.malformed("Swift.Array<Swift.Int>", byteCount: 3)) { try decode([Int].self) }
    #expect(throws: PayloadError.malformed("Swift.Int", byteCount: 3)) { try decode(Int.self) }
    #expect(throws: DecodingError.self) { try decode([String].self) }
  }

  @Test func codedValues() throws {
    #expect(try send(Record(name: "n", points: [1, 2])) > 0)
    #expect(try send([Record(name: "n", points: []), Record(name: "", points: [5])]) > 0)
    #expect(try send([Data?.none, Data([1])]) > 0)
    #expect(try send(["a": ["b", "c"]]) > 0)
    #expect(try send(String??.some(nil)) == 2)
    #expect(try send(URL(string: "https://example.org")!) > 0)
    #expect(try Payload.coding(for: Record.self).byteCount(of: Record(name: "", points: [])) == nil)
  }

  @Test func manyValuesShareOneWriter() throws {
    let coding = try Payload.coding(for: Record.self)
    var writer = ByteWriter()
    var ends: [Int] = []
    let records = (0..<200).map { Record(name: "record \($0)", points: Array(0..<$0)) }
    for record in records {
      try coding.encode(record, into: &writer)
      ends.append(writer.count)
    }
    var start = 0
    for (record, end) in zip(records, ends) {
      #expect(try coding.decode(from: UnsafeRawBufferPointer(rebasing: writer.bytes[start..<end])) == record)
      start = end
    }
  }

  @Test func whatCannotTravelSaysSo() throws {
    final class Connection {}
    struct Holder { var connection: Connection }
    func message<V>(_ type: V.Type) -> String {
      let error = #expect(throws: PayloadError.self) { try Payload.coding(for: type) }
      return error?.description ?? ""
    }
    #expect(message(Holder.self).hasPrefix("Values of MillraceIPCTests."))
    #expect(message(Holder.self).contains("Holder cannot be sent to another process: its property connection, of "))
    #expect(message(Holder.self).contains("Connection, is a class. Make the type Codable"))
    #expect(!message(Holder.self).contains("unknown context"))
    #expect(message(Connection.self).contains("Connection cannot"))
    #expect(message([Holder].self).contains("Holder> cannot"))
    #expect(message((() -> Void).self).contains("() -> () cannot"))
    #expect(message((any Codable).self).contains("cannot be sent"))
    #expect(message((Int, [Holder]).self).contains("property .1.connection, of type"))
  }

  @Test func theOutputOfWorkThatAlwaysThrows() throws {
    let coding = try Payload.coding(for: Never.self)
    #expect(throws: PayloadError.self) { try coding.decode(from: UnsafeRawBufferPointer(start: nil, count: 0)) }
  }

  @Test func writersAreReusedAndGiveMemoryBack() throws {
    var writer = ByteWriter(capacity: 10)
    writer.append(contentsOf: UnsafeRawBufferPointer(start: nil, count: 0))
    for number in 0..<1000 { writer.append(number) }
    #expect(writer.count == 8000)
    #expect(writer.bytes.loadUnaligned(fromByteOffset: 8 * 77, as: Int.self) == 77)
    let capacity = writer.capacity
    writer.removeAll()
    writer.append(1)
    #expect(writer.capacity == capacity)
    writer.trim(above: 100)
    #expect(writer.capacity == 0 && writer.count == 0)
    for value in [0, 127, 128, 300, Int.max] { writer.append(varint: value) }
    #expect(writer.count == 1 + 1 + 2 + 2 + 9)
  }
}
