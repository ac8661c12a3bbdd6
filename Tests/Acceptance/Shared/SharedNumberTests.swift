import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Reads beyond the end.
private struct Beyond: StatelessWorker, Codable {
  var array: SharedArray<Int>
  func process(_ index: Int) -> Int { array[index] }
}

private struct BeyondBytes: StatelessWorker, Codable {
  var bytes: SharedBytes
  func process(_ index: Int) -> UInt8 { bytes[index] }
}

extension Checked {
  /// Numbers that shared objects cannot have.
  @Suite struct SharedNumbers {
    @Test("U73: counts that cannot be are errors, as everywhere")
    func counts() throws {
      let array = #expect(throws: InvalidOption.self) { try SharedArray<Int>(count: -1) }
      #expect(array.map { "\($0)" } == "count is -1: it has to be 0 or more")
      #expect(throws: InvalidOption.self) { try SharedArray<Int>(repeating: 1, count: .min) }
      #expect(throws: InvalidOption.self) { try SharedBytes(count: -5) { _ in } }
      let queue = #expect(throws: InvalidOption.self) { try SharedQueue<Int>(capacity: 0) }
      #expect(queue?.name == "capacity")
      #expect(throws: InvalidOption.self) { try SharedQueue<Int>(capacity: -3) }
      #expect(throws: InvalidOption.self) { try SharedQueue<Int>(capacity: 1, bytes: 0) }
      #expect(try SharedArray<Int>(count: 0).isEmpty)
      // Where the bytes are given, it is them that count.
      #expect(throws: SystemError.self) { try SharedQueue<Int>(capacity: 1, bytes: .max) }
      #expect(try SharedQueue<Int>(capacity: .max, bytes: 1 << 10).count == 0)
      let bytes = try SharedBytes(Array(0..<100))
      #expect(try bytes[10...].pieces(of: .max).map(Array.init) == [Array(10..<100)])
      #expect(try bytes[10..<10].pieces(of: .max).isEmpty)
      for size in [0, -1, .min] {
        let error = #expect(throws: InvalidOption.self) { try bytes.pieces(of: size) }
        #expect(error.map { "\($0)" }?.contains("1 or more bytes") == true)
      }
    }

    @Test("U73: an index beyond the end says which, and of how many", arguments: Backends.isolating)
    func indices(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let array = try SharedArray<Int>(count: 5)
        let failure = try await #require(throws: ItemFailure.self) {
          _ = try await pool.map([7], with: Beyond(array: array))
        }
        #expect("\(failure)".contains("index 7 is out of range of Millrace.SharedArray<Swift.Int>, which has 5 from 0"))
        let slice = try SharedBytes([UInt8](0..<10))[4..<6]
        let other = try await #require(throws: ItemFailure.self) {
          _ = try await pool.map([6], with: BeyondBytes(bytes: slice))
        }
        #expect("\(other)".contains("index 6 is out of range of SharedBytes, which has 2 from 4"))
      }
    }
  }
}
