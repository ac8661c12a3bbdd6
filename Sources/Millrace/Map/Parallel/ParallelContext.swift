/// What the lanes of a call share: everything but the user's closure.
///
/// See ``ParallelPlan/run(lanes:with:body:)``.
@usableFromInline
@frozen
struct ParallelContext<Base: RandomAccessCollection, Target, Failure: Error> {
  @usableFromInline let source: ParallelSource<Base>
  /// Where results go: the storage of the outputs, or a list for each lane.
  @usableFromInline let target: Target
  @usableFromInline let failure: FirstFailure<Failure>

  @inlinable
  init(_ source: ParallelSource<Base>, target: Target, failure: FirstFailure<Failure>) {
    self.source = source
    self.target = target
    self.failure = failure
  }

  /// Visits a piece; false, with the error noted, if `body` threw.
  @inlinable
  @inline(__always)
  func visit(
    _ lower: Int, _ upper: Int, _ body: (_ offset: Int, _ item: Base.Element) throws(Failure) -> Void
  ) -> Bool {
    var at = lower
    do throws(Failure) {
      try source.visit(lower, upper) { offset, item throws(Failure) in
        at = offset
        try body(offset, item)
      }
      return true
    } catch {
      failure.note(error, at: at)
      return false
    }
  }
}

extension RandomAccessCollection {
  /// Calls `body` with this collection as the lanes read it.
  @inlinable
  @inline(__always)
  func _withParallelSource<Result>(_ body: (ParallelSource<Self>) -> Result) -> Result {
    let result = withContiguousStorageIfAvailable { storage in
      body(ParallelSource(self, address: storage.baseAddress))
    }
    return result ?? body(ParallelSource(self, address: nil))
  }
}
