import Foundation
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

extension Faults {
  /// Programs that stages run, when the program that runs them is ended.
  @Suite(.timeLimit(.minutes(1))) struct CommandFaults {
    @Test(
      "U137: the program of a Command ends with the program that runs it, whatever ends that",
      arguments: ["serial", "tasks", "threads"] + (ThreadSanitizer.isOn ? [] : ["forkServer"]),
      [SIGKILL, SIGTERM, SIGINT])
    func tethered(backend: String, signal: Int32) throws {
      let path = "\(NSTemporaryDirectory())/started-\(UUID().uuidString)"
      try #require(mkfifo(path, 0o600) == 0)
      defer { unlink(path) }
      let program = try TestProgram(["commands", backend, path])
      // Foundation reads no FIFO at once.
      let fifo = try #require(FileHandle(forReadingAtPath: path))
      let told = String(decoding: try fifo.readToEnd() ?? Data(), as: UTF8.self)
      let process = try #require(Int32(told.dropLast()))
      #expect(TestProgram.isRunning(process))
      kill(program.id, signal)
      #expect(program.wait() == 1_000 + signal)
      while TestProgram.isRunning(process) { sched_yield() }
    }
  }
}
