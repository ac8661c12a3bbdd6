import Foundation
import Millrace
import MillraceTesting
import Testing

/// The snippets of "Coming from mpyx" and "Coming from PaPy" do what the pages say.
@Suite(.timeLimit(.minutes(1)))
struct ComingFromSnippetTests {
  private func withFolder<R>(_ body: (String) async throws -> R) async throws -> R {
    let folder = FileManager.default.temporaryDirectory.appending(path: "snippets-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body(folder)
  }

  @Test func pictures() async throws {
    try await withFolder { folder in
      for part in ["in", "before", "after", "wider"] {
        try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
      }
      for name in ["a", "b"] {
        try name.write(toFile: "\(folder)/in/\(name).img", atomically: false, encoding: .utf8)
      }
      try MpyxSnippets.before("\(folder)/in", "\(folder)/before")
      try await MpyxSnippets.after("\(folder)/in", "\(folder)/after")
      #expect(try await MpyxSnippets.wider("\(folder)/in", "\(folder)/wider") == ["a.img", "b.img"])
      for part in ["before", "after", "wider"] {
        let text = try String(contentsOfFile: "\(folder)/\(part)/b.img", encoding: .utf8)
        #expect(text == "b, resized, enhanced, marked")
      }
    }
  }

  @Test func mpyx() async throws {
    #expect(try await MpyxSnippets.trivial() == [11, 12, 13, 14, 15])
    #expect(try await MpyxSnippets.wiring() == 100)
    let nested = try await MpyxSnippets.nesting()
    let expected: [[Int]] = [[3, 4], [2, 11, 12], [11, 201, 12, 202], [5, 5, 6, 6]]
    #expect(nested == expected)
    #expect(try await MpyxSnippets.running() == [6, 7, 8, 9, 10])
  }

  @Test func papy() async throws {
    try await withWorkerPool(.threads(2)) { pool in
      #expect(try await PapySnippets.maps(pool) == [[1, 4, 9, 16], [1], [1, 4, 9, 16], [1]])
      for list in try await PapySnippets.nested(pool) { #expect(list.map { $0.rounded() } == [1, 2, 3]) }
      let found = try await PapySnippets.memory(pool)
      #expect(found == [0, 1, 2, 1_000, 1_001, 1_002, 3, 4, 5, 1_003, 1_004, 1_005, 6, 7, 8, 1_006, 1_007, 1_008])
    }
    let (first, second) = try await PapySnippets.composition()
    #expect(first == [36] && second == [18])
    #expect(try await PapySnippets.ratios() == [[3, 7, 11], [1, 10, 100, 2, 20, 200], [1, 1, 1, 2, 2, 2]])
    #expect(try await PapySnippets.branches() == ["h3llo hell0", "world w0rld"])
    #expect(try await PapySnippets.plumber() == .finished)
    try await withFolder { folder in
      let script = "cp \"$(sed -n 's/.*\"in\": {\"message\": \"\\([^\"]*\\)\".*/\\1/p' \"$1\")\" "
      let whole = script + "\"$(sed -n 's/.*\"out\": {\"greeting\": \"\\([^\"]*\\)\".*/\\1/p' \"$1\")\"\n"
      try whole.write(toFile: "\(folder)/copy.sh", atomically: false, encoding: .utf8)
      try "hello".write(toFile: "\(folder)/work.txt", atomically: false, encoding: .utf8)
      let files = try await PapySnippets.workflow(folder, "\(folder)/work.txt")
      #expect(files == [["greeting": "\(folder)/work_sh-greeting.txt"]])
      let items = try await PapySnippets.streams("\(folder)/stream", ["a\n", "b", "c"])
      #expect(items == ["a\n", "b", "c"])
    }
    var ends: [Int32] = [-1, -1]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    #expect(try await PapySnippets.socket(ends[0], ends[1], ["a\n", "b", "c"]) == ["a\n", "b", "c"])
    #expect(close(ends[0]) == 0)
  }

  @Test(.enabled(if: !ThreadSanitizer.isOn)) func strides() async throws {
    #expect(try await PapySnippets.strides().map { $0.rounded() } == [1, 2, 3, 4])
  }

  @Test func builtIns() async throws {
    try await withFolder { folder in
      try "ok\nerror 1\nerror 2\n".write(toFile: "\(folder)/log", atomically: false, encoding: .utf8)
      #expect(try await PipelineSnippets.builtIns("\(folder)/log") == [["error 1", "error 2"]])
    }
  }
}
