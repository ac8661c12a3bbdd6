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
    /// The width counts the workers: `.processes(8, WorkerPool.ProcessOptions(threadsPerProcess: 2))` is four processes. Workers of closures,
    /// which are forked from the program, have a process each; with `start: .fork` all are, and more than 1 is refused. More threads than the pool is wide are not used.
    public var threadsPerProcess: Int
    /// Environment variables for the workers, besides those of this process; nil removes one. Set before the first worker
    /// is set up. Any number of them, each of 128 KiB at most with its name, which is all that the system hands on to other programs.
    /// `SWIFT_BACKTRACE` holds from the workers' start (not for those of ``Start/fork``, which are this process over
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

    /// `MAX_ARG_STRLEN` of Linux.
    private static let largestVariable = 128 << 10

    func validate() throws {
      guard (1...256).contains(threadsPerProcess) else {
        throw InvalidOption(name: "threadsPerProcess", value: "\(threadsPerProcess)", allowed: "1 to 256")
      }
      guard start != .fork || threadsPerProcess == 1 else {
        throw InvalidOption(
          name: "threadsPerProcess", value: "\(threadsPerProcess)",
          allowed: "1 with start: .fork, where each worker is a process of its own")
      }
      for (name, value) in environment {
        guard !name.isEmpty, !name.utf8.contains(where: { $0 == UInt8(ascii: "=") || $0 == 0 }) else {
          throw InvalidOption(
            name: "a name in environment", value: "\"\(name.visible)\"", allowed: "not empty, without \"=\" and NUL")
        }
        if let value, value.utf8.contains(0) {
          throw InvalidOption(name: "environment[\"\(name)\"]", value: "\"\(value.visible)\"", allowed: "without NUL")
        }
        // A NUL is behind it.
        let size = name.utf8.count + 1 + (value?.utf8.count ?? 0) + 1
        guard size <= Self.largestVariable else {
          throw InvalidOption(
            name: "environment[\"\(name)\"]", value: "\(value?.utf8.count ?? 0) bytes",
            allowed: "\(Self.largestVariable - 2) bytes at most with its name: the system starts no program with more")
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
