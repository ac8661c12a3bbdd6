import CMillrace
import Foundation
import Testing

extension CheckedMpire {
  /// A run of the program `AcceptanceProgram`, which stands beside the tests.
  final class Program: Sendable {
    let id: pid_t
    private let output: Int32

    init(_ scene: String, _ place: Place) throws {
      let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      let path = (tests as NSString).deletingLastPathComponent + "/AcceptanceProgram"
      var ends: [Int32] = [-1, -1]
      guard millrace_pipe(&ends) == 0 else { throw POSIXError(.EMFILE) }
      defer { close(ends[1]) }
      output = ends[0]
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
      let words: [String] = [path, scene, place.rawValue]
      var arguments = words.map { strdup($0) } + [nil]
      defer { for argument in arguments { free(argument) } }
      var id: pid_t = 0
      let error = posix_spawn(&id, path, &actions, nil, &arguments, environ)
      guard error == 0 else {
        close(ends[0])
        throw POSIXError(POSIXErrorCode(rawValue: error) ?? .EAGAIN)
      }
      self.id = id
    }

    deinit { close(output) }

    /// The next line of its output; nil at the end of it, when nobody has it open any more.
    func line() -> String? {
      var bytes: [UInt8] = []
      var byte: UInt8 = 0
      while read(output, &byte, 1) == 1 {
        if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
        bytes.append(byte)
      }
      return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// Everything that it, and what it started, still print.
    func rest() -> [String] {
      var lines: [String] = []
      while let line = line() { lines.append(line) }
      return lines
    }

    /// Sends a signal and waits until it has been delivered, so that the next of its kind is another one.
    func send(_ signal: Int32) {
      kill(id, signal)
      while isPending(signal), isRunning(id) { sched_yield() }
    }

    private func isPending(_ signal: Int32) -> Bool {
      guard let status = try? String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8) else { return false }
      let masks = status.split(separator: "\n").filter { $0.hasPrefix("SigPnd:") || $0.hasPrefix("ShdPnd:") }
      return masks.contains { mask in
        let bits = UInt64(mask.split(separator: "\t").last ?? "", radix: 16) ?? 0
        return bits & (1 << UInt64(signal - 1)) != 0
      }
    }

    /// Waits for its end: its exit code, or 1,000 and the signal that ended it.
    func wait() -> Int32 {
      var status: Int32 = 0
      while waitpid(id, &status, 0) < 0, errno == EINTR {}
      return status & 0x7f == 0 ? (status >> 8) & 0xff : 1_000 + (status & 0x7f)
    }
  }

  /// Whether a process is there and not a zombie.
  static func isRunning(_ process: pid_t) -> Bool {
    guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
    return stat.split(separator: ")").last?.split(separator: " ").first != "Z"
  }
}
