import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// What is the same wherever slots are, unless they cannot: in line, in tasks, in threads, in processes of all starts.
  ///
  /// The cases of MPIRE's tests (`M1` to `M21`) that are not about progress and insights.
  @Suite("In every place") enum EveryPlace {}
}

extension Checked.EveryPlace {
  /// What a pool's slots are made of, without their number.
  enum Place: String, CaseIterable, CustomTestStringConvertible {
    case serial, tasks, threads, forkServer, spawn, fork

    /// Where the program's own memory is shared.
    static let local: [Place] = [.serial, .tasks, .threads]
    /// Where a crash costs one item.
    static let processes = [Place.forkServer, .spawn, .fork].runnable
    static let allCases = local + processes
    /// Where several workers run at once.
    static let parallel: [Place] = [.tasks, .threads] + processes

    var testDescription: String { rawValue }
    var isProcess: Bool { !Place.local.contains(self) }

    /// Slots of this kind; a serial pool has one whatever is asked for.
    func backend(_ width: Int, _ options: WorkerPool.ProcessOptions = WorkerPool.ProcessOptions()) -> WorkerPool.Backend
    {
      var options = options
      switch self {
      case .serial: return .serial
      case .tasks: return .tasks(width)
      case .threads: return .threads(width)
      case .forkServer: options.start = .forkServer
      case .spawn: options.start = .spawn
      case .fork: options.start = .fork
      }
      return .processes(width, options)
    }

    func width(_ wanted: Int) -> Int { self == .serial ? 1 : wanted }

    /// Processes are left out where the thread sanitizer is.
    var isRunnable: Bool { !(isProcess && ThreadSanitizer.isOn) }
  }

  /// An item that knows where it stood, for maps that do not keep the order.
  struct Tagged: Codable, Hashable, Sendable {
    var index: Int
    var value: Int
  }

  struct Square: StatelessWorker {
    func process(_ item: Tagged) -> Tagged {
      Tagged(index: item.index, value: item.value * item.value)
    }
  }

  /// What MPIRE's own tests map over.
  static let data = [1, 2, 3, 5, 6, 9, 37, 42, 1337, 0, 3, 5, 0].enumerated().map(Tagged.init)
  static let squares = data.map { Tagged(index: $0.index, value: $0.value * $0.value) }

  /// An error that crosses process borders as it is.
  struct Refused: Error, Codable, Hashable {
    var item: Int
  }
}

extension [Checked.EveryPlace.Place] {
  /// Those that are runnable.
  var runnable: [Checked.EveryPlace.Place] { filter(\.isRunnable) }
}
