/// Another program that works for a pool, on this machine or another one: what has joined it, and may leave.
package struct PoolMember: Sendable, Hashable {
  /// A fresh one each time such a program starts.
  package let name: String
  package let host: String
  package let process: Int
  /// How many chunks it runs at once.
  package let slots: Int

  package init(name: String, host: String = "", process: Int = 0, slots: Int = 1) {
    (self.name, self.host, self.process, self.slots) = (name, host, process, slots)
  }
}
