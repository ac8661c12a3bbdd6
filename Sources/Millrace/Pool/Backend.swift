extension WorkerPool {
  /// What the slots of a pool are made of.
  ///
  /// See "Choosing a backend" in the documentation. Where no width is given, it is the number of CPUs that the process may
  /// really use (``WorkerPool/usableCPUs``: affinity and control-group quota).
  public struct Backend: Sendable {
    package let kind: any BackendKind
    /// How many slots there are to be; nil: as many as there are usable CPUs.
    package let width: Int?
    /// The width, if somebody wrote it.
    let givenWidth: Int?

    package init(_ kind: any BackendKind, width: Int?, isGiven: Bool = true) {
      self.kind = kind
      self.width = width
      givenWidth = isGiven ? width : nil
    }

    /// Everything runs in the calling task, one item at a time: for tests and debuggers.
    public static let serial = Backend(LocalBackend(kind: .serial), width: 1)

    /// Swift tasks on the default executor, `width` at a time: for work that waits (`await`) and never blocks.
    public static func tasks(_ width: Int? = nil) -> Backend {
      Backend(LocalBackend(kind: .tasks), width: width)
    }

    /// Threads of the pool's own: for work that computes or blocks. The default.
    ///
    /// `cpuIDs` binds them: `[0]` binds all to CPU 0, `[0, 1]` the first slot to CPU 0 and the second to CPU 1.
    public static func threads(_ width: Int? = nil, cpuIDs: CPUIDs = .all) -> Backend {
      Backend(LocalBackend(kind: .threads(cpuIDs: cpuIDs)), width: width)
    }

    /// Worker processes: a crash costs one item, never the program.
    public static func processes(
      _ width: Int? = nil, _ options: ProcessOptions = ProcessOptions()
    ) -> Backend {
      Backend(ProcessBackend(options: options), width: width)
    }

    func resolvedWidth() throws -> Int {
      let width = width ?? WorkerPool.usableCPUs
      try kind.validate(width: width)
      return width
    }

    package static let maximumWidth = 4_096
  }
}

extension WorkerPool.Backend: CustomStringConvertible {
  /// The backend as it would be written, without its lesser options.
  public var description: String { kind.description(width: width.map(String.init) ?? "all CPUs") }
}

extension BackendKind {
  func validate(width: Int) throws {
    guard widths.contains(width) else {
      throw InvalidOption(name: "width", value: "\(width)", allowed: "\(widths.lowerBound) to \(widths.upperBound)")
    }
  }
}
