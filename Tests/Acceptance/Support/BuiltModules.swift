import Foundation

/// The modules that the tests were built with, for those tests that ask the compiler about them.
enum BuiltModules {
  /// The folder that has them in `Modules`; nil where they are not beside the tests.
  static let folder: URL? = {
    guard let tests = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return nil }
    let folder = URL(filePath: tests).deletingLastPathComponent()
    let found = folder.appending(path: "Modules/Millrace.swiftmodule").path
    return FileManager.default.fileExists(atPath: found) ? folder : nil
  }()

  /// What a compiler or a tool of its says when it is called with these modules: its output and errors.
  static func ask(_ words: [String]) throws -> String {
    guard let folder else { return "" }
    let pipe = Pipe()
    let tool = Process()
    tool.executableURL = URL(filePath: "/usr/bin/env")
    tool.arguments =
      words + [
        "-I", folder.appending(path: "Modules").path,
        "-Xcc", "-fmodule-map-file=\(folder.path)/CMillrace.build/module.modulemap",
      ]
    tool.standardError = pipe
    tool.standardOutput = pipe
    try tool.run()
    let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    tool.waitUntilExit()
    return text
  }
}
