import MillraceIPC

/// Takes each lock that all types share, once: the Swift runtime's, and those of ours that are not a pool's.
///
/// A fork copies them as they are. One that another thread of the program held just then stays taken in the child for
/// ever, and whatever comes to it hangs: so the child finds out before it has anything to do, and is replaced
/// (``ProcessControl``). Only what nobody has asked for yet takes a lock, hence types that are used here alone.
package enum ForkProbe {
  private struct Unknown: Hashable, Sendable {}

  static func run() {
    precondition(types(Unknown.self).count == 6 && !((Unknown.self as Any) is any Error.Type))
    // Of the names, which is taken whether they were asked for before or not.
    precondition(!String(reflecting: Unknown.self).isEmpty)
    precondition(!generics(Unknown.self).isEmpty && containers(Unknown()) == 4)
    KeptContainers.pass()
    PlainWorkers.pass()
    WorkerLogHandler.write([])
  }

  @inline(never)
  private static func types<T>(_ type: T.Type) -> [Any.Type] {
    [(T, T).self, ((T) -> T).self, T.Type.self, Optional<T>.self, [T].self, Dictionary<Int, T>.self]
  }

  /// Each generic type has a lock of its own besides, taken where it is asked for with arguments that nobody had asked for. Of the
  /// user's types nobody knows; these are what code in workers has, ours among it.
  @inline(never)
  private static func generics<T: Hashable & Sendable>(_ type: T.Type) -> [Any.Type] {
    [
      KeyPath<T, T>.self, WritableKeyPath<T, T>.self, ReferenceWritableKeyPath<T, T>.self, PartialKeyPath<T>.self,
      Set<T>.self, ContiguousArray<T>.self, ArraySlice<T>.self, CollectionOfOne<T>.self, EmptyCollection<T>.self,
      Repeated<T>.self, IndexingIterator<[T]>.self, Slice<[T]>.self, ReversedCollection<[T]>.self,
      EnumeratedSequence<[T]>.self, Zip2Sequence<[T], [T]>.self, AnySequence<T>.self, AnyIterator<T>.self,
      LazySequence<[T]>.self, LazyMapSequence<[T], T>.self, LazyFilterSequence<[T]>.self, DefaultIndices<[T]>.self,
      Result<T, any Error>.self, UnsafePointer<T>.self, UnsafeMutablePointer<T>.self, UnsafeBufferPointer<T>.self,
      UnsafeMutableBufferPointer<T>.self, Unmanaged<Box<T>>.self, ManagedBuffer<T, T>.self, Box<T>.self,
      KeyValuePairs<T, T>.self, Task<T, Never>.self, Task<T, any Error>.self, CheckedContinuation<T, any Error>.self,
      CheckedContinuation<T, Never>.self, UnsafeContinuation<T, Never>.self, UnsafeContinuation<T, any Error>.self,
      TaskGroup<T>.self, ThrowingTaskGroup<T, any Error>.self, AsyncStream<T>.self,
      AsyncThrowingStream<T, any Error>.self, Lock<T>.self,
    ]
  }

  private final class Box<T> {}

  /// And what stores their elements.
  @inline(never)
  private static func containers<T: Hashable>(_ element: T) -> Int {
    [element].count + Set([element]).count + [element: element].count + ContiguousArray([element]).count
  }
}
