/// First in, first out: asynchronous calls and jobs of tasks that wait for a thread of the crew.
struct RootQueue {
  typealias Root = @Sendable () -> Void

  private var incoming: [Root] = []
  private var outgoing: [Root] = []

  mutating func append(_ root: @escaping Root) { incoming.append(root) }

  mutating func popFirst() -> Root? {
    if outgoing.isEmpty {
      outgoing = incoming.reversed()
      incoming.removeAll(keepingCapacity: true)
    }
    return outgoing.popLast()
  }
}
