import Foundation
import MillraceIPC
import MillraceTesting
import Synchronization
import Testing

@testable import Millrace

extension Checked {
  /// What is told of a file that is followed. Who has no patience (-1) does not look by itself.
  @Suite(.timeLimit(.minutes(1))) struct ReadableFiles {
    /// The next bytes, wherever they begin.
    private static func next(_ file: ReadableFile) async throws -> String? {
      while let piece = try await file.next() {
        if case .bytes(let bytes) = piece { return String(decoding: bytes, as: UTF8.self) }
      }
      return nil
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

    @Test("U245: a file is waited for though its folder is not there, and through folders that have its name")
    func folders() async throws {
      try await withFolder { folder in
        let path = "\(folder)/a/b/log"
        let file = try ReadableFile(path, follows: true, patience: 10)
        let deeds = Task {
          try await Task.sleep(for: .milliseconds(30))
          try FileManager.default.createDirectory(atPath: "\(folder)/a/b", withIntermediateDirectories: true)
          try await Task.sleep(for: .milliseconds(30))
          Self.add("a", to: path)
        }
        try #require(try await Self.next(file) == "a")
        try await deeds.value
        let more = Task {
          try FileManager.default.removeItem(atPath: path)
          try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
          try await Task.sleep(for: .milliseconds(50))
          try FileManager.default.removeItem(atPath: "\(folder)/a")
          try Data().write(to: URL(fileURLWithPath: "\(folder)/a"))
          try await Task.sleep(for: .milliseconds(50))
          try FileManager.default.removeItem(atPath: "\(folder)/a")
          try FileManager.default.createDirectory(atPath: "\(folder)/a/b", withIntermediateDirectories: true)
          Self.add("b", to: path)
        }
        try #require(try await Self.next(file) == "b")
        try await more.value
        // The first has to be a file.
        let error = #expect(throws: SystemError.self) { _ = try ReadableFile(folder, follows: true) }
        #expect(error?.code == EISDIR)
      }
    }

    @Test("U246: who is not told of a file, for others are told of all that there may be, looks")
    func untold() async throws {
      try await withFolder { folder in
        let path = "\(folder)/log"
        Self.add("a", to: path)
        var others: [Int32] = []
        defer { for number in others { close(number) } }
        while case let number = inotify_init1(Int32(IN_CLOEXEC)), number >= 0 { others.append(number) }
        try #require(others.count > 1 && errno == EMFILE)
        let file = try ReadableFile(path, follows: true, patience: 10)
        try #require(try await Self.next(file) == "a")
        Self.add("b", to: path)
        try #require(try await Self.next(file) == "b")
        rename(path, path + ".1")
        Self.add("c", to: path)
        try #require(try await Self.next(file) == "c")
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

    @Test("U194: a file that does not say how long it is is read once")
    func withoutSize() async throws {
      let file = try ReadableFile("/proc/self/loginuid", follows: true, patience: 1)
      let seen = Passed<String>()
      let reading = Task { while let bytes = try await Self.next(file) { seen.note(bytes) } }
      while seen.all.isEmpty { await Task.yield() }
      try await Task.sleep(for: .milliseconds(50))
      reading.cancel()
      _ = await reading.result
      #expect(seen.all.count == 1)
    }

    @Test("U196: a line that has no end is not gone on with by another file, nor by the same from its start")
    func unended() async throws {
      try await withFolder { folder in
        let path = "\(folder)/log"
        Self.add("one\npar", to: path)
        var lines = Pipeline { Read(path, follow: true) }.outputs().makeAsyncIterator()
        try #require(try await lines.next() == "one")
        rename(path, path + ".1")
        Self.add("three\nfo", to: path)
        try #require(try await lines.next() == "par")
        try #require(try await lines.next() == "three")
        truncate(path, 0)
        Self.add("5\n", to: path)
        try #require(try await lines.next() == "fo")
        try #require(try await lines.next() == "5")
      }
    }

    @Test(
      "a new file that may not be read yet is waited for",
      .enabled(if: getuid() != 0, "who is root may read everything"))
    func notYetReadable() async throws {
      try await withFolder { folder in
        let path = "\(folder)/log"
        Self.add("a", to: path)
        let file = try ReadableFile(path, follows: true, patience: 10)
        try #require(try await Self.next(file) == "a")
        rename(path, path + ".1")
        Self.add("b", to: path + ".new")
        chmod(path + ".new", 0)
        rename(path + ".new", path)
        async let next = Self.next(file)
        try await Task.sleep(for: .milliseconds(30))
        chmod(path, 0o600)
        try #require(try await next == "b")
      }
    }

    @Test("U194: a path without a folder is one in the current folder, and a combining mark is no part of a slash")
    func paths() throws {
      #expect(throws: SystemError.self) { try ReadableFile("no such file", follows: false) }
      _ = try ReadableFile("no such file", follows: true)
      #expect(absolutePath("/\u{301}x") == "/\u{301}x" && absolutePath("x").hasSuffix("/x"))
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
