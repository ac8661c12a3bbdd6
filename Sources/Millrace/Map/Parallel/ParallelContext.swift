/// What the lanes of a call share: everything but the user's closure.
///
/// See ``ParallelPlan/run(lanes:context:body:)``.
///
/// All of it is plain bits, so that a piece of work counts no references: counts that several threads touch cost more than a cheap item.
/// What is pointed to lives in the frame of the caller, who leaves after all lanes have.
@usableFromInline
@frozen
struct ParallelContext<Base: RandomAccessCollection, Target, Failure: Error> {
  @usableFromInline let base: UnsafePointer<Base>
  /// Where the items are, if they are contiguous.
  @usableFromInline let address: UnsafePointer<Base.Element>?
  /// Where results go: the storage of the outputs, or a list for each lane.
  @usableFromInline let target: Target
  @usableFromInline let failure: Unmanaged<FirstFailure<Failure>>

  @inlinable
  init(
    base: UnsafePointer<Base>, address: UnsafePointer<Base.Element>?, target: Target,
    failure: Unmanaged<FirstFailure<Failure>>
  ) {
    self.base = base
    self.address = address
    self.target = target
    self.failure = failure
  }

  /// The context as a body gets it.
  @inlinable
  @inline(__always)
  init(at raw: UnsafeRawPointer) {
    self = raw.assumingMemoryBound(to: Self.self).pointee
  }

  /// Visits the items at the offsets `lower..<upper`, in order; false, with the error noted, if `body` threw.
  @inlinable
  @inline(__always)
  func visit(
    _ lower: Int, _ upper: Int, _ body: (_ offset: Int, _ item: Base.Element) throws(Failure) -> Void
  ) -> Bool {
    var offset = lower
    do throws(Failure) {
      if let address {
        while offset < upper {
          try body(offset, address[offset])
          offset &+= 1
        }
      } else {
        var index = base.pointee.index(base.pointee.startIndex, offsetBy: lower)
        while offset < upper {
          try body(offset, base.pointee[index])
          base.pointee.formIndex(after: &index)
          offset &+= 1
        }
      }
      return true
    } catch {
      failure.takeUnretainedValue().note(error, at: offset)
      return false
    }
  }
}

extension RandomAccessCollection {
  /// Runs `body`, which gets a ``ParallelContext`` over this collection, according to `plan`.
  ///
  /// - Returns: what ``ParallelPlan/run(lanes:context:body:)`` returns.
  @inlinable
  @inline(__always)
  func _run<Target, Failure: Error>(
    _ plan: ParallelPlan, lanes: Int, target: Target, failure: FirstFailure<Failure>,
    _ body: (_ context: UnsafeRawPointer, _ lane: Int, _ lower: Int, _ upper: Int) -> Bool
  ) -> [Range<Int>]? {
    withExtendedLifetime(failure) {
      withUnsafePointer(to: self) { base in
        func run(_ address: UnsafePointer<Element>?) -> [Range<Int>]? {
          let context = ParallelContext(
            base: base, address: address, target: target, failure: Unmanaged.passUnretained(failure))
          return withUnsafePointer(to: context) { plan.run(lanes: lanes, context: $0, body: body) }
        }
        return withContiguousStorageIfAvailable { run($0.baseAddress) } ?? run(nil)
      }
    }
  }
}
