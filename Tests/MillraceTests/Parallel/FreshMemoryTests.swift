import Glibc
import Synchronization
import Testing

@testable import Millrace

/// Huge pages under a large result.
@Suite struct FreshMemoryTests {
  /// Eight blocks, and a little before and after them; every byte is set.
  private func withMemory(_ body: (UnsafeMutableRawBufferPointer, _ firstBlock: Int) throws -> Void) throws {
    let size = 9 * FreshMemory.hugePage + 8_192
    let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    let buffer = UnsafeMutableRawBufferPointer(start: memory, count: size)
    try #require(memory != MAP_FAILED)
    defer { munmap(memory, size) }
    buffer.initializeMemory(as: UInt8.self, repeating: 0xff)
    let address = Int(bitPattern: buffer.baseAddress!)
    try body(buffer, (FreshMemory.hugePage - address % FreshMemory.hugePage) % FreshMemory.hugePage)
  }

  private func touched(_ buffer: UnsafeMutableRawBufferPointer) -> [Int] {
    (0..<buffer.count / 4_096).map { $0 * 4_096 }.filter { buffer[$0] == 0 }
  }

  @Test("U20: a huge page that takes too long to make is the last that is asked for")
  func slow() throws {
    try withMemory { buffer, first in
      let time = Atomic<UInt64>(0)
      let fresh = try #require(
        FreshMemory(buffer) { time.add(FreshMemory.patience + 1, ordering: .relaxed).newValue })
      #expect(fresh.asksForHugePages)
      fresh.prepare(0, buffer.count)
      #expect(!fresh.asksForHugePages)
      fresh.prepare(first + FreshMemory.hugePage, buffer.count)
      #expect(touched(buffer) == [first])
    }
  }

  @Test("U20: as long as they are quick, each block is asked for by the lane that writes its beginning")
  func quick() throws {
    try withMemory { buffer, first in
      let fresh = try #require(FreshMemory(buffer) { 0 })
      let middle = first + FreshMemory.hugePage * 2 + 100
      fresh.prepare(middle, buffer.count)
      let blocks = (0..<9).map { first + $0 * FreshMemory.hugePage }.filter {
        $0 + FreshMemory.hugePage <= buffer.count
      }
      #expect(touched(buffer) == blocks.filter { $0 >= middle })
      fresh.prepare(first + 1, middle)
      #expect(touched(buffer) == Array(blocks.dropFirst()))
      #expect(fresh.asksForHugePages)
    }
  }

  @Test func smallResultsAreLeftAlone() {
    withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 4_096) { buffer in
      #expect(FreshMemory(buffer) == nil)
    }
  }

  @Test func resultsAreRight() {
    let items = Array(0..<1_500_000)
    #expect(items.parallelMap { $0 &+ 1 } == items.map { $0 &+ 1 })
    #expect(items.parallelMap(grain: 7) { ($0, UInt8(truncatingIfNeeded: $0)) }.allSatisfy { $1 == UInt8($0 & 255) })
  }
}
