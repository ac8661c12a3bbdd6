#if Cluster
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file of settings, which has the queue's password in it, and who else may read it.
package struct SettingsFile: Sendable {
  let text: String
  /// What the user should know of it.
  package let warning: String?

  /// What is in it, for others than agents: they need not all of it.
  package var fields: Fields { Fields(text) }

  /// Reads it.
  ///
  /// - Throws: an error if it cannot be read, or others may write it: they could have the agent work for a queue of their own.
  package init(named name: String) throws {
    let file = open(name, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw SystemError("open \(name)", errno) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw SystemError("stat \(name)", errno) }
    // What others may do with a pipe is over when it is open.
    let others = status.st_mode & S_IFMT == S_IFREG ? status.st_mode & 0o066 : 0
    let mode = "mode 0\(String(status.st_mode & 0o777, radix: 8))"
    guard others & 0o022 == 0 else {
      throw EngineError.misused("others may write the settings in \(name) (\(mode)): chmod 600 it")
    }
    text = readText(of: file)
    let isSecret = (try? RedisAddress(Fields(text)["url"] ?? ""))?.password?.isEmpty == false
    warning =
      others != 0 && isSecret
      ? "others may read \(name) (\(mode)), which has the queue's password in it: chmod 600 it" : nil
  }
}
#endif
