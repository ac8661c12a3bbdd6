#if os(Linux)
import CMillrace

/// Starts workers as children of this program itself: afresh, or as its copies.
///
/// Both happen on one thread of the program that never ends, because the parent-death signal of a child fires when the
/// *thread* ends that started it.
package enum Spawner {
  /// A fresh process of this executable, as a fork server's worker but with nothing shared: the slowest, cleanest
  /// start.
  ///
  /// It reads its `WorkerIntroduction` from its control socket.
  ///
  /// - Parameters:
  ///   - control: The worker's end of its control socket. The worker gets a copy: close it here afterwards.
  ///   - stdout: Becomes the worker's standard output; without it, it is the program's. `stderr` likewise.
  ///   - backtrace: Settings of Swift's backtracer, in place of the program's own.
  ///   - surroundings: What it begins with; without them, what the program has now.
  package static func spawn(
    control: Int32, stdout: Int32? = nil, stderr: Int32? = nil, backtrace: String? = nil,
    surroundings: Surroundings = Surroundings()
  ) throws(LaunchError) -> ChildProcess {
    try start(call: "posix_spawn") { pid, pidfd in
      surroundings.with {
        millrace_spawn_self(Int32(MILLRACE_ROLE_WORKER), control, stdout ?? -1, stderr ?? -1, backtrace, $0, pid, pidfd)
      }
    }
  }

  /// A copy of this program, memory and all, that runs one closure and ends with its result.
  ///
  /// Of the program's threads the child has none; the closure runs on a new one. Of its descriptors it has all but ours,
  /// by the numbers that the closure may know. Plain code, Foundation and further threads work in it; Dispatch and Swift's
  /// default executor do not (their threads were not copied). The program's exit handlers and its unflushed output do not
  /// run or appear there again. Swift's backtracer is on if it is on in the program, for it is set up at a program's start.
  package static func fork(
    control: Int32, stdout: Int32? = nil, stderr: Int32? = nil,
    body: @escaping @Sendable (consuming ControlSocket) -> Int32
  ) throws(LaunchError) -> ChildProcess {
    let box = Unmanaged.passRetained(Body(run: body))
    defer { box.release() }
    return try start(call: "fork") { pid, pidfd in
      millrace_fork_program(
        control, stdout ?? -1, stderr ?? -1,
        { context, control in
          guard let context else { return }
          let body = Unmanaged<Body>.fromOpaque(context).takeUnretainedValue()
          millrace_worker_exit(body.run(ControlSocket(owning: Descriptor(owning: control))))
        }, box.toOpaque(), pid, pidfd)
    }
  }

  private final class Body: Sendable {
    let run: @Sendable (consuming ControlSocket) -> Int32

    init(run: @escaping @Sendable (consuming ControlSocket) -> Int32) {
      self.run = run
    }
  }

  private typealias Start = (UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int32>) -> Int32

  private static func start(call: String, _ start: Start) throws(LaunchError) -> ChildProcess {
    var pid: Int32 = 0
    var pidfd: Int32 = -1
    var error: Int32 = 0
    let refused = onSpawner { error = start(&pid, &pidfd) }
    guard refused == 0 else { throw LaunchError(call: "pthread_create", code: refused) }
    guard error == 0 else { throw LaunchError(call: call, code: error) }
    return ChildProcess(pid: pid, pidfd: Descriptor(owning: pidfd), isOwnChild: true)
  }

  /// Runs a job on the spawner thread and waits for it.
  static func onSpawner(_ job: () -> Void) -> Int32 {
    withoutActuallyEscaping(job) { job in
      var job = job
      return withUnsafeMutablePointer(to: &job) { pointer in
        millrace_on_spawner(
          { context in context?.assumingMemoryBound(to: (() -> Void).self).pointee() }, pointer)
      }
    }
  }
}
#endif
