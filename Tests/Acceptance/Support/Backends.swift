import Millrace

/// The backends that the same tests run over.
enum Backends {
  static let all: [Backend] = [.serial, .tasks(3), .threads(1), .threads(3), .processes(1), .processes(3)]

  /// Those that run more than one item at once.
  static let wide: [Backend] = [.tasks(3), .threads(3), .processes(3)]

  /// Those whose workers share the test's memory.
  static let shared: [Backend] = [.serial, .tasks(3), .threads(1), .threads(3)]

  /// Those that have workers of their own, apart from the caller.
  static let apart: [Backend] = all.filter { $0.description != "serial" }

  /// All ways to have worker processes: a crash stays in one of them.
  static let isolating: [Backend] = [
    .processes(1), .processes(3), spawning, forking, crowded,
  ]

  static let spawning = Backend.processes(2, ProcessOptions(start: .spawn))
  static let forking = Backend.processes(2, ProcessOptions(start: .fork))
  static let crowded = Backend.processes(4, ProcessOptions(threadsPerProcess: 2))

  static let everything: [Backend] = all + [spawning, forking, crowded]
}

extension Sequence<Backend> {
  /// Each backend with each of some other things.
  func each<Other>(with others: [Other]) -> [(Backend, Other)] {
    flatMap { backend in others.map { (backend, $0) } }
  }
}
