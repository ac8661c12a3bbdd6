import Millrace

#if canImport(Glibc)
import Glibc
#endif

/// Files and programs of the tests.
enum Files {
  /// The program that the tests are.
  static let program: String = {
    let bytes = [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
      count = max(0, buffer.withMemoryRebound(to: CChar.self) { readlink("/proc/self/exe", $0.baseAddress!, $0.count) })
    }
    return String(decoding: bytes, as: UTF8.self)
  }()

  /// Where the other programs are that were built with it.
  static var built: Substring { program[..<(program.lastIndex(of: "/") ?? program.startIndex)] }

  /// What a command of the shell writes.
  static func output(of command: String) throws -> String {
    guard let pipe = popen(command, "r") else { throw SystemError("popen", errno) }
    defer { pclose(pipe) }
    var bytes: [UInt8] = []
    while case let byte = fgetc(pipe), byte != EOF { bytes.append(UInt8(byte)) }
    return String(decoding: bytes, as: UTF8.self)
  }

  static func folder() throws -> String {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var name = Array("\(base)/cluster-XXXXXX".utf8CString)
    guard mkdtemp(&name) != nil else { throw SystemError("mkdtemp", errno) }
    return name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// With all that is in it.
  static func remove(_ folder: String) {
    if let entries = opendir(folder) {
      while let entry = readdir(entries) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        unlink("\(folder)/\(name)")
      }
      closedir(entries)
    }
    rmdir(folder)
  }

  static func write(_ name: String, _ text: String, mode: mode_t) throws {
    let file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, mode)
    guard file >= 0 else { throw SystemError("open \(name)", errno) }
    defer { close(file) }
    let bytes = Array(text.utf8)
    guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw SystemError("write \(name)", errno) }
  }
}

/// Programs of a test's own, which shells and we find before all others of their names, until they are removed.
struct FakePrograms {
  /// Where they are, and whatever they write.
  let folder: String
  private let path: String

  /// - Parameter scripts: the lines of each for a shell, by its name, made for the folder.
  init(_ scripts: (String) -> [String: String]) throws {
    folder = try Files.folder()
    path = getenv("PATH").map { String(cString: $0) } ?? ""
    for (name, script) in scripts(folder) { try Files.write("\(folder)/\(name)", "#!/bin/sh\n" + script, mode: 0o700) }
    setenv("PATH", "\(folder):\(path)", 1)
  }

  /// With their folder.
  func remove() {
    setenv("PATH", path, 1)
    Files.remove(folder)
  }
}
