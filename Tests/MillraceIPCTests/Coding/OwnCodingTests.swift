import Foundation
import MillraceIPC
import Testing

/// Bitwise-copyable, and with a `Codable` conformance that somebody wrote.
private struct Celsius: Codable, Equatable {
  var degrees: Double
  var readings = 0

  init(_ degrees: Double, readings: Int = 0) {
    self.degrees = degrees
    self.readings = readings
  }

  init(from decoder: any Decoder) throws {
    let degrees = try decoder.singleValueContainer().decode(Double.self)
    guard degrees >= -273.15 else { throw Impossible(degrees: degrees) }
    self.init(degrees)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(degrees.rounded())
  }
}

private struct Impossible: Error, Codable, Equatable { var degrees: Double }

private enum Level: Int, Codable {
  case low, high
  init(from decoder: any Decoder) throws { self = .high }
}

private struct Point: Codable, Equatable { var x: Double, y: Double }
private struct FastPoint: Codable, Equatable, MemberwiseTransport { var x: Double, y: Double }
private enum FastLevel: String, Codable, MemberwiseTransport { case low, high }
private struct Plain: Equatable { var celsius: Celsius, count: Int }
private enum Measured: Equatable { case celsius(Celsius), none }

@Suite struct OwnCodingTests {
  private func sent<V>(_ value: V) throws -> V {
    let coding = try Payload.coding(for: V.self)
    var writer = ByteWriter()
    try coding.encode(value, into: &writer)
    return try coding.decode(from: writer.bytes)
  }

  private func stride<V>(_ type: V.Type) throws -> Int? { try Payload.coding(for: type).fixedStride }

  @Test("U7: a bitwise-copyable type with a Codable conformance is asked, wherever it is")
  func asked() throws {
    let value = Celsius(20.4, readings: 3)
    let after = Celsius(20)
    #expect(try sent(value) == after)
    #expect(try sent([value, value]) == [after, after])
    #expect(try sent(Celsius?.some(value)) == after)
    #expect(try sent((1, value)).1 == after)
    #expect(try sent(Plain(celsius: value, count: 2)) == Plain(celsius: after, count: 2))
    #expect(try sent([Plain(celsius: value, count: 2)]) == [Plain(celsius: after, count: 2)])
    #expect(try sent(Measured.celsius(value)) == .celsius(after))
    #expect(try sent([value] as ContiguousArray) == [after])
    #expect(try sent([1: value]) == [1: after])
    #expect(try sent(InlineArray<2, Celsius>(repeating: value))[1] == after)
    #expect(try sent(Result<Celsius, Impossible>.success(value)) == .success(after))
    #expect(try sent(Level.low) == .high)
    #expect(throws: Impossible(degrees: -300)) { try sent(Celsius(-300)) }
    #expect(throws: Impossible(degrees: -300)) { try sent(Plain(celsius: Celsius(-300), count: 1)) }
    #expect(throws: Impossible(degrees: -300)) { try sent(Measured.celsius(Celsius(-300))) }
  }

  @Test("U7: nothing tells what the compiler made, so that is asked too, unless the type says otherwise")
  func optIn() throws {
    #expect(try stride(Point.self) == nil && sent(Point(x: 1, y: 2)) == Point(x: 1, y: 2))
    #expect(try stride(FastPoint.self) == 16 && sent(FastPoint(x: 1, y: 2)) == FastPoint(x: 1, y: 2))
    #expect(try stride((FastPoint, Int?).self) == 32 && stride((Point, Int?).self) == nil)
    #expect(try stride(FastLevel.self) == 1 && sent([FastLevel.high]) == [.high])
    #expect(try Payload.coding(for: [FastPoint].self).byteCount(of: [FastPoint(x: 1, y: 2)]) == 16)
  }

  @Test("U7: what the standard library and Foundation would write of theirs is known")
  func system() throws {
    #expect(try stride(UUID.self) == 16 && stride(Date.self) == 8 && stride(Duration.self) == 16)
    #expect(try stride(Range<Int>.self) == 16 && stride(ClosedRange<Celsius>.self) == nil)
    #expect(try stride(SIMD4<Float>.self) == 16 && stride((Int?, Bool, UInt8, Unicode.Scalar).self) != nil)
    #expect(try stride(InlineArray<3, Int16>.self) == 6 && stride(Float16.self) == 2)
  }
}

extension Celsius: Comparable {
  static func < (left: Celsius, right: Celsius) -> Bool { left.degrees < right.degrees }
}
