import MillraceIPC
import Testing

@testable import Millrace

/// A queue whose words something has written over: it says so, and neither waits nor ends the program.
@Suite(.timeLimit(.minutes(1))) struct SharedRingTests {
  /// - Parameter spoil: is given the words of what was added, taken and counted, and of the first length.
  private func ring(
    _ spoil: (
      UnsafeMutablePointer<UInt64>, UnsafeMutablePointer<UInt64>, UnsafeMutablePointer<UInt64>,
      UnsafeMutablePointer<UInt64>
    ) -> Void
  ) throws -> SharedRing {
    let block = try SharedObject.make(.queue, bytes: 4_096, name: "SharedQueue")
    let ring = SharedRing(block)
    ring.capacity.pointee = 100
    for _ in 0..<3 { #expect(try [1, 2, 3].withUnsafeBytes { try ring.add($0) }) }
    spoil(
      block.header.word(4), block.header.word(5), block.header.word(6),
      block.content.assumingMemoryBound(to: UInt64.self))
    return ring
  }

  @Test("U255: the elements that are left when somebody has died are counted to their end")
  func repaired() throws {
    let ring = try ring { _, _, count, _ in count.pointee = 77 }
    try ring.repair()
    #expect(ring.count.pointee == 3)
    #expect(try ring.take()?.count == 24)
  }

  @Test("U255: words that are none of a queue's")
  func overwritten() throws {
    let spoils:
      [(
        UnsafeMutablePointer<UInt64>, UnsafeMutablePointer<UInt64>, UnsafeMutablePointer<UInt64>,
        UnsafeMutablePointer<UInt64>
      ) -> Void] = [
        { added, _, _, _ in added.pointee = 1 << 44 },
        { added, _, _, length in (added.pointee, length.pointee) = (.max - 7, .max) },
        { _, _, _, length in length.pointee = .max },
        { _, _, _, length in length.pointee = 1 << 40 },
        { added, taken, _, _ in (added.pointee, taken.pointee) = (27, 3) },
      ]
    for spoil in spoils {
      let ring = try ring(spoil)
      #expect(throws: TransportError.self) { try ring.repair() }
      #expect(throws: TransportError.self) { try ring.take() }
    }
    let ring = try ring { _, _, count, _ in count.pointee = 0 }
    #expect(throws: TransportError.self) { try ring.take() }
  }
}
