import Dispatch

/// What the runtime makes at first use and keeps to the program's end.
///
/// It is started before the first snapshot, else the first checked body would be blamed for it.
enum LongLived {
  static func start() async { await isStarted.value }

  private static let isStarted = Task {
    ThreadSanitizer.startSymbolizer()

    // Dispatch's event loop: an epoll, an eventfd, and a timer descriptor for each of its three clocks, made when a timer is armed.
    // So we arm one of each that is far from due: its sleeper is cancelled, and what stays of it in Dispatch is a few bytes.
    let sleepers = [
      Task { try await Task.sleep(for: .seconds(86_400), clock: .continuous) },
      Task { try await Task.sleep(for: .seconds(86_400), clock: .suspending) },
    ]
    let source = DispatchSource.makeTimerSource()
    source.schedule(wallDeadline: .now() + .seconds(86_400))
    source.activate()

    // The event loop's thread arms them, and tells nobody. Should a Dispatch to come have another way, we go on without: after so many
    // looks, not after so long, for where others keep the threads the first look may come late.
    var looks = 0
    while !hasDispatchTimers(), looks < 100 {
      looks += 1
      try? await Task.sleep(for: .milliseconds(2))
    }

    source.cancel()
    for sleeper in sleepers { sleeper.cancel() }
  }

  /// Whether a thread of this name lives as long as the program by design.
  ///
  /// Dispatch names its threads by the last 15 characters of their queue's label (`oot.default-qos`, `-qos.overcommit`).
  static func isThread(named name: String) -> Bool {
    name.hasSuffix("-qos") || name.hasSuffix(".overcommit")
      || name.hasPrefix("millrace-crew") || name.hasPrefix("millrace-spawn")
  }
}
