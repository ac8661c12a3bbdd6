extension WorkerPool {
  /// What the slots of a pool are made of.
  ///
  /// See "Choosing a backend" in the documentation. Where no width is given, it is the number of CPUs that the process may
  /// really use (``WorkerPool/usableCPUs``: affinity and control-group quota).
  public struct Backend: Sendable {
    enum Kind: Sendable {
      case serial
      case tasks
      case threads
      case processes
    }
    var kind: Kind
    var width: Int?
    var processes = ProcessOptions()
    /// Which CPUs the slots may use: one list for all slots, or one for each.
    var cpuIDs = CPUIDs.all

    /// Everything runs in the calling task, one item at a time: for tests and debuggers.
    public static let serial = Backend(kind: .serial, width: 1)

    /// Swift tasks on the default executor, `width` at a time: for work that waits (`await`) and never blocks.
    public static func tasks(_ width: Int? = nil) -> Backend {
      Backend(kind: .tasks, width: width)
    }

    /// Threads of the pool's own: for work that computes or blocks. The default.
    ///
    /// `cpuIDs` binds them: `[0]` binds all to CPU 0, `[0, 1]` the first slot to CPU 0 and the second to CPU 1.
    public static func threads(_ width: Int? = nil, cpuIDs: CPUIDs = .all) -> Backend {
      Backend(kind: .threads, width: width, cpuIDs: cpuIDs)
    }

    /// Worker processes: a crash costs one item, never the program.
    public static func processes(
      _ width: Int? = nil, _ options: ProcessOptions = ProcessOptions()
    ) -> Backend {
      Backend(kind: .processes, width: width, processes: options, cpuIDs: options.cpuIDs)
    }

    func resolvedWidth() throws -> Int {
      let width = width ?? WorkerPool.usableCPUs
      guard width >= 1, width <= Backend.maximumWidth else {
        throw InvalidOption(name: "width", value: "\(width)", allowed: "1 to \(Backend.maximumWidth)")
      }
      return width
    }

    static let maximumWidth = 4_096
  }
}

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

extension WorkerPool {
  /// How worker processes are started and kept.
  public struct ProcessOptions: Sendable {
    /// How a worker process comes into being.
    @nonexhaustive
    public enum Start: Sendable, Hashable {
      /// A fresh copy of this program, started once and kept small, forks a clean child for each worker. The default.
      case forkServer
      /// Each worker is a fresh start of this program.
      case spawn
      /// Each worker is forked from this process, with everything that is in its memory. Code in it must not use Dispatch
      /// or the default executor. Closures always run so.
      case fork
    }

    /// How workers are started. Default: `.forkServer`.
    public var start: Start
    /// How many workers share a process, each in a thread of its own. Default: 1. They die together.
    ///
    /// The width counts the workers: `.processes(8, WorkerPool.ProcessOptions(threadsPerProcess: 2))` is four processes. Workers that are forked
    /// from the program, those of closures among them, have a process each. More threads than the pool is wide are not used.
    public var threadsPerProcess: Int
    /// Environment variables for the workers, besides those of this process; nil removes one. Set before the first worker
    /// is set up. `SWIFT_BACKTRACE` holds from the workers' start (not for those of ``Start/fork``, which are this process over
    /// again): `enable=no` saves most of a second after a crash.
    public var environment: [String: String?]
    /// How long a worker that was told to end (SIGTERM) has before it is killed (SIGKILL). Default: 1 s.
    public var grace: Duration
    /// Which CPUs the workers may use. Default: all.
    public var cpuIDs: CPUIDs
    /// The capacity of a worker's rings in shared memory, in bytes; a power of two, 64 KiB to 64 MiB. Default: 256 KiB.
    public var ringCapacity: Int
    /// Whether the program keeps the memory that it frees, from the first large output on (16 KiB): up to 64 MiB in each of the C
    /// library's arenas, for all of its parts, and as long as it runs. Large outputs come faster then, for their memory is not fetched
    /// from the system each time. Default: false. It matters with glibc only, and not where the thresholds of `malloc` are set;
    /// worker processes keep theirs in any case.
    public var keepsFreedMemory: Bool

    /// Creates options; what is not given has its default.
    public init(
      start: Start = .forkServer, threadsPerProcess: Int = 1, environment: [String: String?] = [:],
      grace: Duration = .seconds(1), cpuIDs: CPUIDs = .all, ringCapacity: Int = 256 << 10,
      keepsFreedMemory: Bool = false
    ) {
      self.start = start
      self.threadsPerProcess = threadsPerProcess
      self.environment = environment
      self.grace = grace
      self.cpuIDs = cpuIDs
      self.ringCapacity = ringCapacity
      self.keepsFreedMemory = keepsFreedMemory
    }

    func validate() throws {
      guard (1...256).contains(threadsPerProcess) else {
        throw InvalidOption(name: "threadsPerProcess", value: "\(threadsPerProcess)", allowed: "1 to 256")
      }
      for (name, value) in environment {
        guard !name.isEmpty, !name.utf8.contains(where: { $0 == UInt8(ascii: "=") || $0 == 0 }) else {
          throw InvalidOption(
            name: "a name in environment", value: "\"\(name.visible)\"", allowed: "not empty, without \"=\" and NUL")
        }
        if let value, value.utf8.contains(0) {
          throw InvalidOption(name: "environment[\"\(name)\"]", value: "\"\(value.visible)\"", allowed: "without NUL")
        }
      }
      guard grace >= .zero else { throw InvalidOption(name: "grace", value: "\(grace)", allowed: "zero or more") }
      guard (64 << 10...64 << 20).contains(ringCapacity), ringCapacity & (ringCapacity - 1) == 0 else {
        throw InvalidOption(
          name: "ringCapacity", value: "\(ringCapacity)", allowed: "a power of two from 65536 to 67108864")
      }
    }
  }
}

extension String {
  /// With what ends a string in C made visible.
  fileprivate var visible: String { split(separator: "\0", omittingEmptySubsequences: false).joined(separator: "\\0") }
}

extension WorkerPool.Backend: CustomStringConvertible {
  /// The backend as it would be written, without its lesser options.
  public var description: String {
    let width = width.map(String.init) ?? "all CPUs"
    switch kind {
    case .serial: return "serial"
    case .tasks: return "tasks(\(width))"
    case .threads: return "threads(\(width))"
    case .processes:
      var text = "processes(\(width)"
      if processes.start != .forkServer { text += ", \(processes.start)" }
      if processes.threadsPerProcess > 1 { text += ", \(processes.threadsPerProcess) threads each" }
      return text + ")"
    }
  }
}
