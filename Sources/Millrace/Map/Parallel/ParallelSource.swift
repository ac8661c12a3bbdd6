/// A collection as the lanes read it: by address where its storage is contiguous, by index elsewhere.
@usableFromInline
@frozen
struct ParallelSource<Base: RandomAccessCollection> {
  @usableFromInline let base: Base
  @usableFromInline let address: UnsafePointer<Base.Element>?

  @inlinable
  init(_ base: Base, address: UnsafePointer<Base.Element>?) {
    self.base = base
    self.address = address
  }

  /// Visits the items at the offsets `lower..<upper`, in order.
  @inlinable
  @inline(__always)
  func visit<Failure: Error>(
    _ lower: Int, _ upper: Int, _ body: (_ offset: Int, _ item: Base.Element) throws(Failure) -> Void
  ) throws(Failure) {
    var offset = lower
    if let address {
      while offset < upper {
        try body(offset, address[offset])
        offset &+= 1
      }
    } else {
      var index = base.index(base.startIndex, offsetBy: lower)
      while offset < upper {
        try body(offset, base[index])
        base.formIndex(after: &index)
        offset &+= 1
      }
    }
  }
}
