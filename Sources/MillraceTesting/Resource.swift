/// Something of the operating system that this program holds: a child process, an open descriptor, a thread, shared memory or a file.
///
/// Two resources are equal if they are of one kind and have one identity; what they are doing at the moment (``detail``) does not count.
public struct Resource: Sendable {
  /// What sort of thing it is.
  public enum Kind: String, Sendable, CaseIterable, Comparable {
    /// A descendant of this process, running or dead and not yet reaped, or one that lost its parent.
    case process
    /// An open descriptor of this process.
    case descriptor
    /// A thread of this process.
    case thread
    /// A mapping of shared memory in this process, or an entry of `/dev/shm`.
    case sharedMemory = "shared memory"
    /// An entry of the temporary directory.
    case file

    /// In the order in which they are declared.
    public static func < (left: Kind, right: Kind) -> Bool { left.rank < right.rank }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
  }

  /// What sort of thing it is.
  public let kind: Kind

  /// What tells it from all others of its kind, also from a later one that is given the same number.
  public let identity: String

  /// For people: name, target, state.
  public let detail: String
}

extension Resource: Hashable {
  /// Whether both are the same thing, whatever it is doing.
  public static func == (left: Resource, right: Resource) -> Bool {
    left.kind == right.kind && left.identity == right.identity
  }

  /// Feeds kind and identity to the hasher.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(kind)
    hasher.combine(identity)
  }
}

extension Resource: CustomStringConvertible {
  /// For example `process 4711 (sleep), state S, parent 4700`.
  public var description: String { "\(kind.rawValue) \(detail)" }
}
