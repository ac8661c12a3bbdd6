import Millrace

/// A number from each number, which no mistake hits by chance.
package struct Mix: StatelessWorker {
  package init() {}

  package static func mixed(_ item: Int) -> Int {
    var value = UInt64(truncatingIfNeeded: item)
    for _ in 0..<20 { value = (value ^ value >> 31) &* 0x9e37_79b9_7f4a_7c15 }
    return Int(truncatingIfNeeded: value)
  }

  package func process(_ item: Int) -> Int { Self.mixed(item) }
}
