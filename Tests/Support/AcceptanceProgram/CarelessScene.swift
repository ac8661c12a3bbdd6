import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// A program that closes descriptors that are not its own while a pool is idle, and while an item of it runs: all of them,
  /// or those of one kind, and perhaps has sockets at their numbers then. What becomes of the maps, and how many processes are there in
  /// the end?
  static func careless(_ backend: WorkerPool.Backend, _ kind: String, isReplaced: Bool) async throws {
    // Nobody ever says anything on it.
    var silent: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &silent) == 0 else { exit(3) }
    // What Dispatch keeps for timers is not the pool's: it has that by now.
    var pause = Duration.milliseconds(1)
    while !(0..<64).contains(where: { target(of: $0) == "anon_inode:[timerfd]" }) {
      try await Task.sleep(for: pause)
      pause = pause * 2
    }
    for isBusy in [false, true] {
      let before = openDescriptors()
      try await withWorkerPool(backend) { pool in
        guard try await pool.map(0..<3, with: Napping()) == [1, 2, 3] else { exit(2) }
        func close() {
          for number in openDescriptors().subtracting(before)
          where kind == "all" || target(of: number).contains(kind) {
            if isReplaced { dup2(silent[0], number) } else { Glibc.close(number) }
          }
        }
        do {
          if isBusy {
            for try await output in pool.outputs(of: [0, 1, -1], with: Napping()) where output == 1 { close() }
          } else {
            close()
            _ = try await pool.map(0..<3, with: Napping())
          }
          say("\(isBusy ? "busy" : "idle"): went on")
        } catch let error as WorkerPoolError {
          say("\(isBusy ? "busy" : "idle"): \(error.kind)")
        } catch {
          say("\(isBusy ? "busy" : "idle"): \(error)")
        }
        // Whoever asks then is told the same.
        if kind == "all" {
          do { _ = try await pool.run(1, with: Napping()) } catch { say("\(error)") }
        }
      }
    }
    say("children: \(children())")
  }

  private static func openDescriptors() -> Set<Int32> { Set((3..<4_096).filter { fcntl($0, F_GETFD) >= 0 }) }

  /// Those of all threads, also such as have ended and were not waited for.
  private static func children() -> Int {
    var count = 0
    while true {
      var information = siginfo_t()
      // It leaves them as they are.
      guard waitid(P_ALL, 0, &information, WEXITED | WNOWAIT | WNOHANG) == 0 else { return count }
      count += 1
      guard information._sifields._sigchld.si_pid != 0 else { return count }
      waitpid(information._sifields._sigchld.si_pid, nil, 0)
    }
  }
}

/// Sleeps for as many seconds as an item is below zero.
struct Napping: StatelessWorker {
  func process(_ item: Int) -> Int {
    if item < 0 { sleep(UInt32(-item)) }
    return item + 1
  }
}
