import Foundation
import MillraceIPC
import MillraceTesting
import Synchronization
import Testing

@testable import Millrace

extension Checked {
  /// What is told of a file that is followed. Who has no patience (-1) does not look by itself.
  @Suite(.timeLimit(.minutes(1))) struct ReadableFiles {
    private static func next(_ file: ReadableFile) async throws -> String? {
      try await file.next().map { String(decoding: $0, as: UTF8.self) }
    }

    private static func add(_ text: String, to path: String) {
      let file = fopen(path, "a")
      fputs(text, file)
      fclose(file)
    }

    @Test("U191: a file that comes to be while it is opened is watched")
    func comesMeanwhile() async throws {
      try await withFolder { folder in
        for round in 0..<100 {
          let made = Atomic(0)
          let isDone = Atomic(false)
          try startThread("adds") {
            for number in 0..<40 {
              Self.add("a", to: "\(folder)/\(round).\(number)")
              made.store(number + 1, ordering: .releasing)
            }
            isDone.store(true, ordering: .releasing)
          }
          while made.load(ordering: .acquiring) < 10 {}
          // One of the next, so that each of the moments has its turn.
          let path = "\(folder)/\(round).\(min(39, made.load(ordering: .acquiring) + round % 8))"
          let file = try ReadableFile(path, follows: true, patience: -1)
          try #require(try await Self.next(file) == "a")
          // The folder, and the file.
          try #require(Self.watches() == 2)
          while !isDone.load(ordering: .acquiring) { await Task.yield() }
        }
      }
    }

    @Test("where a symbolic link leads is followed, though nothing tells of it")
    func links() async throws {
      try await withFolder { folder in
        let (path, kept) = ("\(folder)/log", "\(folder)/kept")
        try FileManager.default.createDirectory(atPath: kept, withIntermediateDirectories: true)
        Self.add("a", to: "\(kept)/log")
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "\(kept)/log")
        let file = try ReadableFile(path, follows: true, patience: 10)
        try #require(try await Self.next(file) == "a")
        rename("\(kept)/log", "\(kept)/log.1")
        async let added: Void = {
          try await Task.sleep(for: .milliseconds(50))
          Self.add("b", to: "\(kept)/log")
        }()
        try #require(try await Self.next(file) == "b")
        try await added
      }
    }

    @Test("of many files that had its name only the last is watched")
    func manyFiles() async throws {
      try await withFolder { folder in
        let path = "\(folder)/log"
        Self.add("0", to: path)
        let file = try ReadableFile(path, follows: true)
        for number in 0..<20 {
          try #require(try await Self.next(file) == "\(number)")
          rename(path, "\(path).\(number)")
          Self.add("\(number + 1)", to: path)
        }
        try #require(try await Self.next(file) == "20")
        // The folder, and the file.
        #expect(Self.watches() == 2)
      }
    }

    /// How many watches the program has.
    private static func watches() -> Int {
      let folder = "/proc/self/fdinfo"
      let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      return files.reduce(0) { sum, file in
        let text = (try? String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)) ?? ""
        return sum + text.split(separator: "\n").count { $0.hasPrefix("inotify wd:") }
      }
    }
  }
}
