import Foundation
import Millrace
import MillraceFFmpeg
import MillraceTesting
import Testing

/// The snippets of "Pipelines" do what the page says.
@Suite(.timeLimit(.minutes(1)))
struct PipelineSnippetTests {
  @Test func forms() async throws {
    let (degrees, pairs, picture) = try await PipelineSnippets.forms()
    #expect(degrees == [0, 90, 180] && pairs == ["H3LLO,HELL0", "WORLD,W0RLD"])
    let file = SnippetTests.catalog.appending(path: "pipeline.svg")
    #expect(try picture + "\n" == String(contentsOf: file, encoding: .utf8))
    let page = try String(contentsOf: SnippetTests.catalog.appending(path: "Pipelines.md"), encoding: .utf8)
    #expect(page.contains("```text\n\(PipelineSnippets.narrow())\n```"))
    let batches = try await Pipeline { Items(1...5) }.stage(Pairs()).list()
    #expect(batches == [[1, 2], [3, 4], [5]])
  }

  @Test(.enabled(if: !ThreadSanitizer.isOn)) func processes() async throws {
    var names: [String] = []
    try await PipelineSnippets.site(["a", "b", "c"]) { names.append($0) }
    let kept = try await PipelineSnippets.options()
    #expect(names == ["a", "b", "c"] && kept == [1, 2, 3, 4, 5, 6, 8, 9, 10])
    #expect(try await PipelineSnippets.balanced() == Array(1...1_000))
  }

  @Test(
    .enabled(if: ["/usr/bin/ffmpeg", "/usr/local/bin/ffmpeg"].contains(where: FileManager.default.isExecutableFile)))
  func video() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "video-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (original, negative) = ("\(folder)/original.mkv", "\(folder)/negative.mkv")
    let command = FFmpegCommand(
      from: .file("color=white:size=64x48:rate=5", ["-f", "lavfi"]),
      to: .file(original, ["-frames:v", "5", "-c:v", "ffv1", "-pix_fmt", "gray"]))
    try await command.run()
    try await FFmpegSnippets.negative(original, negative)
    let shape = FrameShape(width: 64, height: 48, channels: 1)
    let frames = try await Pipeline { ReadFrames(negative, shape) }.list()
    #expect(frames.count == 5 && frames.allSatisfy { $0.bytes.allSatisfy { $0 < 32 } })
  }

  @Test func shown() async throws {
    let (batches, rows) = try await PipelineSnippets.shown()
    #expect(try await PipelineSnippets.lengths(["a", "ab"]) == [1, 2])
    #expect(batches.joined().sorted() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5] && batches.count == 5)
    #expect(rows.map(\.0) == Array(1...5) && rows.map(\.1) == Array(1...5))
  }

  @Test func fork() async throws {
    let longest = try await PipelineSnippets.fork(["error 1", "", "none", "error 23"])
    #expect(longest == 8)
  }

  @Test func beside() async throws {
    let (names, numbers) = try await PipelineSnippets.beside(["a", "b", "c"])
    #expect(names == ["a: 800", "b: 800", "c: 800"] && numbers == Array(1...10))
  }

  @Test func failure() async throws {
    var line = ""
    try await PipelineSnippets.failure { index, stage, cause in line = "\(index) \(stage) \(cause)" }
    #expect(line == "6 Risky threw Refused()")
  }
}
