import MillraceIPC

/// Takes each lock that all types share, once: the Swift runtime's, and those of ours that are not a pool's.
///
/// A fork copies them as they are. One that another thread of the program held just then stays taken in the child for
/// ever, and whatever comes to it hangs: so the child finds out before it has anything to do, and is replaced
/// (``ProcessControl``). Only what nobody has asked for yet takes a lock, hence types that are used here alone.
package enum ForkProbe {
  private struct Unknown {}

  static func run() {
    precondition(types(Unknown.self).count == 6 && !((Unknown.self as Any) is any Equatable.Type))
    // Of the names, which is taken whether they were asked for before or not.
    precondition(!String(reflecting: Unknown.self).isEmpty)
    KeptContainers.pass()
    WorkerLogHandler.write([])
  }

  @inline(never)
  private static func types<T>(_ type: T.Type) -> [Any.Type] {
    [(T, T).self, ((T) -> T).self, T.Type.self, Optional<T>.self, [T].self, Dictionary<Int, T>.self]
  }
}
