import Testing

@testable import Millrace

@Suite("What stands before a chunk's items") struct BaggageTests {
  @Test("baggage that ends too soon, or says that it is longer than it is, is refused")
  func hostile() throws {
    for (bytes, size) in [(0, 0), (15, 0), (16, 1), (32, 17), (40, 20), (64, Int.max), (64, -1)] {
      var memory = [UInt8](repeating: 0, count: bytes)
      for place in 0..<min(8, bytes) { memory[place] = UInt8(truncatingIfNeeded: size >> (8 * place)) }
      memory.withUnsafeBytes { bytes in
        var rest = bytes
        #expect(throws: (any Error).self) { _ = try Baggage.take(from: &rest) }
      }
    }
    #expect(throws: (any Error).self) { _ = try Baggage.unpack(UnsafeRawBufferPointer(start: nil, count: 0)) }
    let memory = [UInt8](repeating: 0, count: 48)
    try memory.withUnsafeBytes { bytes in
      var rest = bytes
      let baggage = try Baggage.take(from: &rest)
      #expect(baggage.isEmpty)
      #expect(rest.count == 32)
    }
  }
}
