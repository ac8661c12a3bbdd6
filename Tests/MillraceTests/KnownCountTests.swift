import Testing

@testable import Millrace

/// How long inputs are, as far as that is known.
@Suite struct KnownCountTests {
  @Test("U251: a range may have more numbers than can be counted, and so may what is made of one")
  func wide() {
    #expect(knownCount(UInt64(0)..<UInt64.max) == nil && knownCount(UInt64(0)...UInt64.max) == nil)
    #expect(knownCount(Int.min..<Int.max) == nil && knownCount(0...Int.max) == nil)
    #expect(knownCount((Int.min..<Int.max).reversed()) == nil && knownCount((0...Int.max).lazy.map { $0 }) == nil)
    #expect(knownCount((0...Int.max).indices) == nil && knownCount((Int.min..<Int.max)[0...]) == nil)
    #expect(knownCount((UInt64(0)..<UInt64.max).lazy.reversed().map { $0 }) == nil)
  }

  @Test func others() {
    #expect(knownCount(UInt64(5)..<UInt64.max / 4) == Int(UInt64.max / 4 - 5))
    #expect(knownCount(-3..<4) == 7 && knownCount(Int8.min...Int8.max) == 256 && knownCount([1, 2, 3]) == 3)
    #expect(knownCount((0..<9).lazy.map { $0 }) == 9 && knownCount([1, 2].reversed()) == 2)
    #expect(knownCount([0...Int.max]) == 1 && knownCount(["a", "b"][1...]) == 1)
    #expect(knownCount((0..<9).lazy.filter { $0 > 1 }) == nil)
  }

  /// Whose elements are made one by one for whoever wants to see them.
  private struct Shown: RandomAccessCollection, CustomReflectable {
    let startIndex = 0
    let endIndex = 3
    subscript(index: Int) -> Int { index }
    var customMirror: Mirror {
      Issue.record("it is looked at")
      return Mirror(self, unlabeledChildren: Array(self))
    }
  }

  @Test("U251: nothing is made of the elements to find that out")
  func unseen() {
    #expect(knownCount(Shown()) == 3)
    #expect(knownCount(ContiguousArray([1, 2])) == 2 && knownCount([1, 2, 3][1...]) == 2)
  }
}
