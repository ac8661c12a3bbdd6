#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The C library's, where a member of the same name is nearer: which library it is depends on the platform.
package enum LibC {
  package static func read(_ file: Int32, _ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    systemRead(file, bytes, count)
  }

  package static func write(_ file: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    systemWrite(file, bytes, count)
  }

  package static func kill(_ process: Int32, _ signal: Int32) { _ = systemKill(process, signal) }

  /// Opens a file that is there.
  package static func open(_ path: String, _ flags: Int32) -> Int32 { systemOpen(path, flags) }

  package static func exit(_ code: Int32) -> Never { systemExit(code) }
}

// Out of the enumeration, whose members hide them.
private func systemRead(_ file: Int32, _ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int {
  read(file, bytes, count)
}
private func systemWrite(_ file: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int { write(file, bytes, count) }
private func systemKill(_ process: Int32, _ signal: Int32) -> Int32 { kill(process, signal) }
private func systemOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }
private func systemExit(_ code: Int32) -> Never { exit(code) }
