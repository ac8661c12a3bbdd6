/// The inputs of consecutive items, kept until each has its outcome with the consumer.
@usableFromInline
package final class InputCell<Input: Sendable>: @unchecked Sendable {
  // Sound: written by the initializer only; freed when nobody refers to it.
  package let base: Int
  package let count: Int
  package let items: UnsafePointer<Input>

  /// Takes up to `limit` items from `next`.
  @inlinable
  package convenience init(base: Int, limit: Int, _ next: () -> Input?) {
    let storage = UnsafeMutablePointer<Input>.allocate(capacity: max(1, limit))
    var count = 0
    while count < limit, let item = next() {
      (storage + count).initialize(to: item)
      count &+= 1
    }
    self.init(base: base, count: count, adopting: storage)
  }

  package convenience init(base: Int, items: some Collection<Input>) {
    let storage = UnsafeMutablePointer<Input>.allocate(capacity: max(1, items.count))
    _ = UnsafeMutableBufferPointer(start: storage, count: items.count).initialize(fromContentsOf: items)
    self.init(base: base, count: items.count, adopting: storage)
  }

  @usableFromInline
  package init(base: Int, count: Int, adopting storage: UnsafeMutablePointer<Input>) {
    self.base = base
    self.count = count
    items = UnsafePointer(storage)
  }

  deinit {
    let storage = UnsafeMutablePointer(mutating: items)
    storage.deinitialize(count: count)
    storage.deallocate()
  }

  package subscript(index: Int) -> Input { items[index - base] }
}

/// Room for the outputs of a chunk, in the order of its items; those that failed leave holes.
@usableFromInline
package final class OutputBuffer<Output>: @unchecked Sendable {
  // Sound: one run at a time writes, each place once, before the progress word or the pool's lock publishes it; readers
  // look only at what was published to them.
  @usableFromInline package let base: Int
  package let capacity: Int
  @usableFromInline package let storage: UnsafeMutablePointer<Output>
  @exclusivity(unchecked) private var initialized: [Range<Int>] = []

  package init(base: Int, capacity: Int) {
    self.base = base
    self.capacity = capacity
    storage = .allocate(capacity: max(1, capacity))
  }

  /// Says that the outputs at these offsets are there. Called once for each, before they are handed on.
  package func settle(_ offsets: Range<Int>) {
    guard !offsets.isEmpty else { return }
    if let last = initialized.last, last.upperBound == offsets.lowerBound {
      initialized[initialized.count - 1] = last.lowerBound..<offsets.upperBound
    } else {
      initialized.append(offsets)
    }
  }

  deinit {
    for range in initialized { (storage + range.lowerBound).deinitialize(count: range.count) }
    storage.deallocate()
  }

  package subscript(index: Int) -> Output { storage[index - base] }

  @inlinable
  package subscript(offset offset: Int) -> Output {
    // The storage goes with the object: it must not go before the output is copied.
    withExtendedLifetime(self) { storage[offset] }
  }
}
