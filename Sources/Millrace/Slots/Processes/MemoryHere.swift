import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What this program, not the worker, has no memory for.
enum MemoryHere {
  /// There is no memory for what the worker of an item sent.
  static func shortage(of bytes: Int) -> SystemError {
    SystemError("taking the \(bytes) bytes that its worker sent into this program's memory", ENOMEM)
  }

  /// The same, if so much cannot be allocated now.
  static func shortage(for bytes: Int) -> SystemError? { takes(bytes) ? nil : shortage(of: bytes) }

  /// Whether so much can be allocated now, as far as the limit on the program's addresses says (`ulimit -v`).
  ///
  /// Who allocates in vain is ended.
  static func takes(_ bytes: Int) -> Bool {
    guard bytes >= 1 << 20 else { return true }
    guard let room = millrace_memory_reserve(bytes) else { return false }
    _ = millrace_memory_unmap(room, bytes)
    return true
  }
}
