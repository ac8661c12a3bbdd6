import CMillrace
import MillraceIPC

/// Standard output, as the C library keeps it for `print`, for those who want to know whether it takes what is printed.
enum StandardOutput {
  /// Prints a line, whole.
  static func print(_ line: String) throws(SystemError) {
    var line = line
    line += "\n"
    let error = line.withUTF8 { millrace_print($0.baseAddress, UInt($0.count)) }
    if error != 0 { throw SystemError("printing", error) }
  }

  /// Hands on what was kept back.
  static func flush() throws(SystemError) {
    let error = millrace_flush_output()
    if error != 0 { throw SystemError("printing", error) }
  }
}
