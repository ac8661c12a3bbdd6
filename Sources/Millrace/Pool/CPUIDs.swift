extension WorkerPool {
  /// CPU numbers for the slots of a pool, slot by slot or the same for all.
  ///
  /// `[0]` (all slots on CPU 0), `[0, 1]` (slot 0 on CPU 0, slot 1 on CPU 1), `[[0, 1]]` (all slots on CPUs 0 and 1),
  /// `[[0], [0, 1]]` (slot by slot). There must be one entry, or one for each slot.
  public struct CPUIDs: Sendable, Hashable, ExpressibleByArrayLiteral {
    /// An entry: one number or a list of them.
    public struct Entry: Sendable, Hashable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
      var ids: [Int]
      /// Creates an entry of one CPU.
      public init(integerLiteral value: Int) { ids = [value] }
      /// Creates an entry of several CPUs.
      public init(arrayLiteral elements: Int...) { ids = elements }
      /// Creates an entry of several CPUs.
      public init(_ ids: [Int]) { self.ids = ids }
    }

    /// Empty: all.
    var lists: [[Int]]
    private var isGiven = true

    /// All CPUs that the program may use, for every slot: the default.
    public static let all = {
      var all = CPUIDs([])
      all.isGiven = false
      return all
    }()

    /// Creates the CPUs of a pool's slots.
    public init(arrayLiteral elements: Entry...) { lists = elements.map(\.ids) }

    /// Creates the CPUs of a pool's slots.
    public init(_ lists: [[Int]]) { self.lists = lists }

    /// Those of a slot; nil: all.
    func numbers(of slot: Int) -> [Int32]? {
      lists.isEmpty ? nil : lists[slot % lists.count].map(Int32.init)
    }

    func validate(width: Int) throws {
      guard isGiven else { return }
      guard lists.count == 1 || lists.count == width else {
        throw InvalidOption(
          name: "cpuIDs", value: "\(lists)", allowed: "one entry, or one for each of the \(width) slots, or .all")
      }
      for list in lists {
        guard !list.isEmpty else {
          throw InvalidOption(name: "cpuIDs", value: "\(lists)", allowed: "at least one CPU in each entry")
        }
        for id in list where id < 0 || id >= WorkerPool.cpuCount {
          throw InvalidOption(
            name: "cpuIDs", value: "\(id)", allowed: "0 to \(WorkerPool.cpuCount - 1) on this machine")
        }
      }
      #if !os(Linux)
      throw InvalidOption(
        name: "cpuIDs", value: "\(lists)", allowed: "nothing: this platform cannot bind threads to CPUs")
      #endif
    }
  }
}
