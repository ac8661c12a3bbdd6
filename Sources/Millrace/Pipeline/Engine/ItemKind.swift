/// A type of items, where it is known at run time only: what a node of a pipeline gives.
package protocol ItemKind<Item>: Sendable {
  associatedtype Item: Sendable
}

/// That of items of a type.
struct ItemsOf<Item: Sendable>: ItemKind {}

extension ItemKind {
  /// One of a buffer's items.
  func value(_ items: OutputStore, _ offset: Int) -> any Sendable {
    unsafeDowncast(items, to: OutputBuffer<Item>.self)[offset: offset]
  }

  /// A buffer of values of the type.
  func collect(_ values: [any Sendable]) -> OutputStore {
    let buffer = OutputBuffer<Item>(base: 0, capacity: values.count)
    for (offset, value) in values.enumerated() { (buffer.storage + offset).initialize(to: value as! Item) }
    buffer.settle(0..<values.count)
    return buffer
  }
}
