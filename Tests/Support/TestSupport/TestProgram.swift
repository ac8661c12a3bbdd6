import CMillrace
import Foundation
import MillraceIPC
import MillraceTesting

/// A run of `AcceptanceProgram`, or of another program that stands beside the tests.
package final class TestProgram: Sendable {
  package let id: Int32
  private let output: Descriptor

  /// Starts it.
  ///
  /// - Parameters:
  ///   - words: its arguments: the scene, and what it is to know.
  ///   - name: which program.
  ///   - environment: variables that it has beside those of the tests.
  ///   - through: the words of a command that runs it.
  ///   - copy: where a copy of the program is to be made and run.
  package init(
    _ words: [String], of name: String = "AcceptanceProgram", environment: [String: String] = [:],
    through command: [String] = [], copiedTo copy: String? = nil
  ) throws {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let original = (tests as NSString).deletingLastPathComponent + "/" + name
    if let copy { try FileManager.default.copyItem(atPath: original, toPath: copy) }
    let path = copy ?? original
    var environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // It would sleep for a second before its end.
    if ThreadSanitizer.isOn { environment["TSAN_OPTIONS"] = "atexit_sleep_ms=0" }
    let pipe = try MillraceIPC.Pipe()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, pipe.writing.rawValue, 1)
    let line = command + [path] + words
    var arguments = line.map { strdup($0) } + [nil]
    var variables = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in arguments + variables { free(text) } }
    var id: Int32 = 0
    let error = posix_spawnp(&id, line[0], &actions, nil, &arguments, &variables)
    guard error == 0 else { throw SystemCallError("posix_spawn", error) }
    self.id = id
    output = pipe.reading
  }

  /// The next line of its output; nil at the end of it, when nobody has it open any more.
  package func line() -> String? {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while read(output.rawValue, &byte, 1) == 1 {
      if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }

  /// Everything that it, and what it started, still print.
  package func rest() -> [String] {
    var lines: [String] = []
    while let line = line() { lines.append(line) }
    return lines
  }

  /// Sends a signal and waits until it has been handled, so that the next one comes after it.
  ///
  /// A thread blocks the signal while it handles it, from when it is pending no more.
  package func send(_ signal: Int32) {
    let listening = threads { !$0.contains(signal) }
    kill(id, signal)
    while isPending(signal) || !listening.isDisjoint(with: threads { $0.contains(signal) }), Self.isRunning(id) {
      sched_yield()
    }
  }

  /// Its threads with such a set of blocked signals.
  private func threads(where condition: (SignalSet) -> Bool) -> Set<String> {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task")) ?? []
    return Set(threads.filter { condition(signals("SigBlk", "/proc/\(id)/task/\($0)/status")) })
  }

  private func isPending(_ signal: Int32) -> Bool {
    ["SigPnd", "ShdPnd"].contains { signals($0, "/proc/\(id)/status").contains(signal) }
  }

  private struct SignalSet {
    var bits: UInt64
    func contains(_ signal: Int32) -> Bool { bits & (1 << UInt64(signal - 1)) != 0 }
  }

  private func signals(_ name: String, _ path: String) -> SignalSet {
    let status = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    let mask = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }?.split(separator: "\t").last
    return SignalSet(bits: UInt64(mask ?? "", radix: 16) ?? 0)
  }

  /// Waits for its end: its exit code, or 1,000 and the signal that ended it.
  package func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(id, &status, 0) < 0, errno == EINTR {}
    return status & 0x7f == 0 ? (status >> 8) & 0xff : 1_000 + (status & 0x7f)
  }

  /// Whether a process is there and not a zombie.
  package static func isRunning(_ process: Int32) -> Bool {
    guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
    return stat.split(separator: ")").last?.split(separator: " ").first != "Z"
  }
}

/// Runs blocking code on a thread of its own, not one of Swift's.
package func onPlainThread<Output: Sendable>(
  _ body: @escaping @Sendable () throws -> Output
) async throws -> Output {
  try await withCheckedThrowingContinuation { continuation in
    let thread = Thread { continuation.resume(with: Result(catching: body)) }
    thread.name = "plain"
    thread.stackSize = 1 << 20
    thread.start()
  }
}

/// Waits on the calling thread, which is a plain one, for what is asynchronous.
package func waiting<Output: Sendable>(_ body: @escaping @Sendable () async throws -> Output) throws -> Output {
  let result = Lock<Result<Output, any Error>?>(nil)
  let isDone = DispatchSemaphore(value: 0)
  Task {
    let found: Result<Output, any Error>
    do { found = .success(try await body()) } catch { found = .failure(error) }
    result.withLock { $0 = found }
    isDone.signal()
  }
  isDone.wait()
  return try result.withLock { $0! }.get()
}
