#if CLI
import Dispatch
import Foundation
import MillraceIPC
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#endif

@testable import MillraceCLI

/// Limits of the system are waited for, not failed on.
@Suite(.timeLimit(.minutes(1))) struct RoomTests {
  @Test(
    "U26: under few descriptors fewer jobs run at once, and all of them", arguments: ["", "-u", "-k", "--line-buffer"])
  func fewDescriptors(option: String) throws {
    let result = try Tool.shell("ulimit -n 20; $M \(option) -j6 'sleep 0.02; echo {}' ::: 1 2 3 4 5 6")
    #expect(result.lines.sorted() == ["1", "2", "3", "4", "5", "6"])
    #expect(result.exitCode == 0)
    #expect(result.error.split(separator: "\n").count == 1 && result.error.contains("jobs at once"))
  }

  @Test("U26: -j 0 is as many as can be") func asManyAsCanBe() throws {
    let result = try Tool.shell("ulimit -n 64; seq 100 | $M -j0 'sleep 0.01; echo {}' | sort -n; echo end")
    #expect(result.lines == (1...100).map(String.init) + ["end"])
    #expect(result.error.isEmpty)
  }

  /// The first job takes the descriptors away from the run; the prior look at the limits has not seen it.
  @Test(
    "U26: a limit that comes during the run",
    .enabled("prlimit is needed") {
      try Tool.shell("prlimit --version").exitCode == 0
    })
  func limitThatComesLater() throws {
    let result = try Tool.shell(
      """
      seq 12 | $M -k -j4 'test {} = 1 && prlimit --pid $PPID --nofile=18:18; sleep 0.05; echo {}'
      """)
    #expect(result.lines == (1...12).map(String.init))
    #expect(result.exitCode == 0)
    #expect(result.error.split(separator: "\n").count == 1, "one warning")
    #expect(result.error.contains("Too many open files; fewer jobs run at once"))
  }

  @Test("U26: where nobody makes room, it is said and not waited for") func nobodyMakesRoom() throws {
    let gate = StartGate(width: 4) { _ in }
    gate.enter()
    let error = #expect(throws: SystemError.self) {
      while true { try gate.stepBack(for: SystemError("cannot make a pipe", code: EMFILE)) }
    }
    #expect(error?.code == EMFILE)
    // Not for each of the jobs anew.
    let start = MonotonicTime.now
    #expect(throws: SystemError.self) { try gate.stepBack(for: SystemError("cannot make a pipe", code: EMFILE)) }
    #expect(MonotonicTime.now - start < 500_000_000)
    // Until one could be started.
    gate.started()
    try gate.stepBack(for: SystemError("cannot make a pipe", code: EMFILE))
    gate.leave()
  }

  @Test(
    "U26: under few processes fewer jobs run at once, and all of them",
    .enabled("another user is needed") {
      try Tool.shell("setpriv --reuid 65534 --clear-groups \(Tool.path) --version").exitCode == 0
    })
  func fewProcesses() throws {
    let result = try Tool.shell(
      """
      seq 60 | setpriv --reuid 65534 --clear-groups bash -c "ulimit -u 40; cd /; $M -j60 'sleep 0.02; echo {}'" | sort -n
      """)
    #expect(result.lines == (1...60).map(String.init))
    #expect(result.error.split(separator: "\n").count == 1 && result.error.contains("jobs at once"))
  }

  @Test(
    "U26: room for jobs",
    arguments: [
      (nil, nil, 5, 5), (11, nil, 6, 1), (60, nil, 6, 6), (1011, nil, 1000, 243), (0, nil, 6, 1),
      (nil, 30, 60, 5), (nil, 0, 60, 1), (60, 30, 60, 5),
    ] as [(Int?, Int?, Int, Int)])
  func room(descriptors: Int?, tasks: Int?, wanted: Int, expected: Int) {
    let room = SystemRoom(descriptors: descriptors, tasks: tasks)
    #expect(room.jobs(wanted: wanted, processes: 3) == expected)
  }

  @Test("U26: a job that was refused runs when another has ended, and more at once again later") func refusedJobs()
    throws
  {
    let warnings = Mutex<[String]>([])
    let gate = StartGate(width: 2) { text in warnings.withLock { $0.append(text) } }
    let error = SystemError("cannot make a pipe", code: EMFILE)
    gate.enter()
    gate.enter()
    let isBack = DispatchSemaphore(value: 0)
    try startThread("refused") {
      try? gate.stepBack(for: error)
      isBack.signal()
    }
    // The other has stepped back when it has warned; its place is free only when this one is.
    gate.leave()
    isBack.wait()
    // Alone, and at once.
    try gate.stepBack(for: error)
    gate.started()
    gate.close()
    gate.enter()
    #expect(warnings.withLock { $0 }.count == 1)
  }
}
#endif
