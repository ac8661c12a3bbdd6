#if CLI
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The shell that started this program, as GNU parallel looks for it: the nearest of its ancestors that is one.
struct StartingShell: Sendable {
  /// Its program, or the name to look for.
  var path: Bytes
  /// The variables that it was started with itself.
  var environment: [Bytes]

  static func find() -> StartingShell? {
    var process = ProcessEntry(id: getppid())
    while let entry = process {
      if let shell = StartingShell(entry.id) { return shell }
      process = entry.parent > 0 ? ProcessEntry(id: entry.parent) : nil
    }
    return nil
  }

  private init?(_ id: pid_t) {
    guard let arguments = ProcessEntry.contents(of: "/proc/\(id)/cmdline") else { return nil }
    var called = Bytes(arguments.prefix { $0 != 0 })
    // A login shell has a dash before its name.
    if called.first == UInt8(ascii: "-") { called.removeFirst() }
    let program = ProcessEntry.target(of: "/proc/\(id)/exe")
    let name = Shell.name(of: called)
    if let program, Shell.isShell(Shell.name(of: program)) {
      // bash that was called sh is another shell.
      path = name == "sh" ? Bytes("/bin/sh".utf8) : program
    } else if Shell.isShell(name), program == nil || Shell.isMultiple(Shell.name(of: program ?? [])) {
      // Not ours to look at, or one program for all commands.
      path = Bytes(name.utf8)
    } else {
      return nil
    }
    environment = ProcessEntry.contents(of: "/proc/\(id)/environ")?.split(separator: 0).map(Bytes.init) ?? []
  }

  init(path: Bytes, environment: [Bytes]) {
    self.path = path
    self.environment = environment
  }
}
#endif
