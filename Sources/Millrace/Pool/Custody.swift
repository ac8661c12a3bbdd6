import MillraceIPC

/// Where a map's items stand in another program's map, whose chunk they are: what they see of themselves is what they would see there. And
/// who goes along with them.
package struct ItemOrigin: Sendable {
  /// The index of the first of them.
  package var index = 0
  /// Which try this is.
  package var attempt = 1
  /// Who goes along with their own map, if anybody does.
  package var companion: (any MapCompanion)?

  package init() {}
}

/// The inputs of consecutive items, kept until each has its outcome with the consumer; as memory, whatever their type.
@usableFromInline
package class InputStore: @unchecked Sendable {
  // Sound: each item is written once, by whoever fills the cell, before an `Inbox` hands it on; who was handed items looks
  // at no others. `count` is the filler's until nobody refers to the cell, when it says what is to be freed.
  package let base: Int
  @exclusivity(unchecked) package internal(set) var count: Int
  package let start: UnsafeRawPointer
  /// Set before any item is handed on.
  @exclusivity(unchecked) package internal(set) var origin = ItemOrigin()

  /// The outputs of another job that the items are, if they are; else the items have memory of their own.
  fileprivate let lender: OutputStore?

  fileprivate init(base: Int, count: Int, start: UnsafeRawPointer, lender: OutputStore? = nil) {
    self.base = base
    self.count = count
    self.start = start
    self.lender = lender
  }

  /// Where the item lies, of those that take so many bytes each.
  func place(of index: Int, stride: Int) -> UnsafeRawPointer { start + (index - base) * stride }

  /// The item, whatever its type; nil if it is none of a user's.
  func item(at index: Int) -> (any Sendable)? { nil }
}

/// The inputs of consecutive items.
@usableFromInline
package final class InputCell<Input: Sendable>: InputStore, @unchecked Sendable {
  /// Room for so many items.
  convenience init(base: Int, capacity: Int) {
    self.init(base: base, count: 0, adopting: .allocate(capacity: max(1, capacity)))
  }

  package convenience init(base: Int, items: some Collection<Input>) {
    let storage = UnsafeMutablePointer<Input>.allocate(capacity: max(1, items.count))
    _ = UnsafeMutableBufferPointer(start: storage, count: items.count).initialize(fromContentsOf: items)
    self.init(base: base, count: items.count, adopting: storage)
  }

  init(base: Int, count: Int, adopting storage: UnsafeMutablePointer<Input>) {
    super.init(base: base, count: count, start: storage)
  }

  /// Items that are the outputs of another job, from this offset of theirs on, and stay where they are.
  init(base: Int, count: Int, lending outputs: OutputBuffer<Input>, from offset: Int) {
    super.init(base: base, count: count, start: outputs.storage + offset, lender: outputs)
  }

  deinit {
    if lender != nil { return }
    let (storage, count) = (storage, count)
    guard Unlocked.isSo else { return Unlocked.later { Self.free(storage, count) } }
    Self.free(storage, count)
  }

  private static func free(_ storage: UnsafeMutablePointer<Input>, _ count: Int) {
    storage.deinitialize(count: count)
    storage.deallocate()
  }

  var storage: UnsafeMutablePointer<Input> { UnsafeMutablePointer(mutating: items) }

  package var items: UnsafePointer<Input> { start.assumingMemoryBound(to: Input.self) }

  package subscript(index: Int) -> Input { items[index - base] }

  override func item(at index: Int) -> (any Sendable)? { self[index] }
}

/// Room for the outputs of a chunk, in the order of its items; those that failed leave holes. As memory, whatever their type.
@usableFromInline
package class OutputStore: @unchecked Sendable {
  // Sound: one run at a time writes, each place once, before the progress word or the pool's lock publishes it; readers
  // look only at what was published to them.
  @usableFromInline package let base: Int
  package let capacity: Int
  @usableFromInline package let start: UnsafeMutableRawPointer
  /// The offsets of the outputs that are there: those that came last, and those before a hole.
  @exclusivity(unchecked) fileprivate var last = 0..<0
  @exclusivity(unchecked) fileprivate var earlier: [Range<Int>] = []

  fileprivate init(base: Int, capacity: Int, start: UnsafeMutableRawPointer) {
    self.base = base
    self.capacity = capacity
    self.start = start
  }

  /// Says that the outputs at these offsets are there. Called once for each, before they are handed on.
  package func settle(_ offsets: Range<Int>) {
    guard !offsets.isEmpty else { return }
    if last.upperBound == offsets.lowerBound {
      last = last.lowerBound..<offsets.upperBound
    } else {
      if !last.isEmpty { earlier.append(last) }
      last = offsets
    }
  }
}

/// Room for the outputs of a chunk.
@usableFromInline
package final class OutputBuffer<Output>: OutputStore, @unchecked Sendable {
  package init(base: Int, capacity: Int) {
    let storage = UnsafeMutablePointer<Output>.allocate(capacity: max(1, capacity))
    super.init(base: base, capacity: capacity, start: storage)
  }

  deinit {
    let (storage, earlier, last) = (storage, earlier, last)
    guard Unlocked.isSo else { return Unlocked.later { Self.free(storage, earlier, last) } }
    Self.free(storage, earlier, last)
  }

  private static func free(_ storage: UnsafeMutablePointer<Output>, _ earlier: [Range<Int>], _ last: Range<Int>) {
    for range in earlier { (storage + range.lowerBound).deinitialize(count: range.count) }
    (storage + last.lowerBound).deinitialize(count: last.count)
    storage.deallocate()
  }

  @inlinable package var storage: UnsafeMutablePointer<Output> { start.assumingMemoryBound(to: Output.self) }

  package subscript(index: Int) -> Output { storage[index - base] }

  @inlinable
  package subscript(offset offset: Int) -> Output {
    // The storage goes with the object: it must not go before the output is copied.
    withExtendedLifetime(self) { storage[offset] }
  }
}

extension Chunk {
  /// Where its job's items stand in another program's map.
  var origin: ItemOrigin { unsafeDowncast(cell, to: InputStore.self).origin }

  /// Who goes along with its map, if anybody does.
  var companion: (any MapCompanion)? { unsafeDowncast(cell, to: InputStore.self).origin.companion }
}
