#if os(Linux)
import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a process has around it: its folder, its environment, and its mask for the permissions of new files.
///
/// Workers begin with what the program had when their pool was made, however and whenever they are started.
package final class Surroundings: @unchecked Sendable {
  // Sound: nothing of it changes after it was made, but in a forked process of its own.
  private let folder: UnsafeMutablePointer<CChar>?
  private let mask: Int32
  private let environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  /// Those of this process now.
  package init() {
    folder = getcwd(nil, 0)
    mask = millrace_umask()
    var entries: [UnsafeMutablePointer<CChar>?] = []
    if var entry = Optional(environ) {
      while let text = entry.pointee {
        entries.append(strdup(text))
        entry += 1
      }
    }
    count = entries.count
    environment = .allocate(capacity: count + 1)
    environment.initialize(from: entries + [nil], count: count + 1)
  }

  deinit {
    free(folder)
    for index in 0..<count { free(environment[index]) }
    environment.deallocate()
  }

  func with<R>(_ body: (UnsafePointer<millrace_surroundings>) -> R) -> R {
    var surroundings = millrace_surroundings(folder: folder, mask: mask, environment: environment)
    return withExtendedLifetime(self) { body(&surroundings) }
  }

  /// In a process that was forked from the program: takes them on, for good.
  package func takeOn() {
    with { millrace_surroundings_take_on($0) }
    // The environment is the process's now.
    _ = Unmanaged.passRetained(self)
  }
}
#endif
