#if CLI
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A failed call of the system in the command's words: what we wanted and why it was refused.
struct SystemError: Error, CustomStringConvertible {
  let wanted: String
  let code: Int32

  init(_ wanted: String, code: Int32 = errno) {
    self.wanted = wanted
    self.code = code
  }

  var description: String { "\(wanted): \(String(cString: strerror(code)))" }

  /// Does what may be refused, and says what it was for.
  static func saying<Result: ~Copyable>(
    _ wanted: String, _ body: () throws(SystemCallError) -> Result
  ) throws(SystemError) -> Result {
    do throws(SystemCallError) { return try body() } catch { throw SystemError(wanted, code: error.code) }
  }
}
#endif
