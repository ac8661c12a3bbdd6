import Foundation
import Millrace
import MillraceFFmpeg
import MillraceTesting
import Testing

/// Turns light into dark.
struct Invert: StatelessWorker, Codable {
  func process(_ frame: Frame) -> Frame {
    var frame = frame
    for place in frame.bytes.indices { frame.bytes[place] = 255 - frame.bytes[place] }
    return frame
  }
}

extension Checked {
  /// mpyx' four forms, on small videos of ffmpeg's own test source.
  @Suite(.enabled(if: hasFFmpeg, "ffmpeg is not here: scripts/setup installs it"), .timeLimit(.minutes(1)))
  struct FFmpegForms {
    private let shape = FrameShape(width: 64, height: 48)

    /// A video without losses, of so many frames.
    private func makeVideo(_ path: String, frames: Int) async throws {
      let source = "testsrc=size=64x48:rate=5"
      let command = FFmpegCommand(
        from: .file(source, ["-f", "lavfi"]),
        to: .file(path, ["-frames:v", "\(frames)", "-c:v", "ffv1", "-pix_fmt", "bgr0"]))
      try await command.run()
    }

    private func withFolder<R>(_ body: (String) async throws -> R) async throws -> R {
      let folder = FileManager.default.temporaryDirectory.appending(path: "ffmpeg-\(UUID())").path
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      return try await body(folder)
    }

    private func frames(of path: String, _ shape: FrameShape) async throws -> [Frame] {
      try await Pipeline { ReadFrames(path, shape) }.list()
    }

    @Test("X24 frames to a file, and out of it again: as many, the same, the right way round")
    func roundTrip() async throws {
      try await withFolder { folder in
        let path = "\(folder)/random.mkv"
        var numbers = SystemRandomNumberGenerator()
        let shape = FrameShape(width: 40, height: 24)
        let made = try (0..<20).map { _ in
          try Frame(shape, (0..<shape.byteCount).map { _ in UInt8.random(in: 0...255, using: &numbers) })
        }
        let writing = Pipeline { Items(made) }.stage(
          WriteFrames(to: path, shape, rate: 5, options: ["-c:v", "ffv1", "-pix_fmt", "bgr0"]))
        let passed = try await writing.list()
        #expect(passed == made)
        let read = try await frames(of: path, shape)
        #expect(read == made)
      }
    }

    @Test("U198: of an ffmpeg that has failed each further frame says so")
    func failed() async throws {
      let frame = try Frame(shape, [UInt8](repeating: 7, count: shape.byteCount))
      let transform = TransformFrames(shape, to: shape, options: ["-vf", "nosuchfilter"])
      let pipeline = Pipeline<Frame, Frame> { transform }
      var (failures, isFailed) = (0, false)
      for try await outcome in pipeline.outcomes(of: Array(repeating: frame, count: 500)) {
        if case .failure = outcome.result { isFailed = true } else { isFailed = false }
        if isFailed { failures += 1 }
      }
      #expect(failures > 100 && isFailed)
    }

    @Test("U199: a frame that has more or fewer bytes than its shape is refused")
    func wrongBytes() async throws {
      try await withFolder { folder in
        var frame = try Frame(shape, [UInt8](repeating: 7, count: shape.byteCount))
        frame.bytes.removeLast()
        let writing = Pipeline { Items([frame]) }.stage(WriteFrames(to: "\(folder)/a.mkv", shape))
        let failure = await #expect(throws: ItemFailure.self) { try await writing.run() }
        #expect((failure?.underlying as? InvalidOption)?.name == "the bytes of a frame")
      }
    }

    @Test("X24 file to file, file to frames to file through a scale, frames to frames")
    func forms() async throws {
      try await withFolder { folder in
        let (first, second, third) = ("\(folder)/1.mkv", "\(folder)/2.mkv", "\(folder)/3.mkv")
        try await makeVideo(first, frames: 20)
        let converting: Pipeline<Nothing, String> = Pipeline {
          ConvertVideo(first, to: second, outputOptions: ["-c:v", "ffv1", "-vf", "hflip"])
        }
        let converted = try await converting.list()
        #expect(converted == [second])
        let (plain, flipped) = (try await frames(of: first, shape), try await frames(of: second, shape))
        #expect(plain.count == 20 && flipped.count == 20)
        #expect(plain[3][0, 7, 1] == flipped[3][63, 7, 1] && plain != flipped)

        let small = FrameShape(width: 32, height: 16, channels: 1)
        let scaling = Pipeline { ReadFrames(first, small) }.stage(
          WriteFrames(to: third, small, options: ["-c:v", "ffv1", "-pix_fmt", "gray"]))
        let scaled = try await scaling.list()
        let again = try await frames(of: third, small)
        #expect(scaled.count == 20 && again == scaled)

        let through = Pipeline { Items(plain) }.stage(
          TransformFrames(shape, to: shape, rate: 5, options: ["-vf", "hflip"]))
        let turned = try await through.list()
        #expect(turned == flipped)
      }
    }

    @Test("frames through processes are those of a serial run")
    func processes() async throws {
      try await withFolder { folder in
        let path = "\(folder)/1.mkv"
        try await makeVideo(path, frames: 10)
        let dark: Pipeline<Nothing, Frame> = Pipeline {
          ReadFrames(path, shape)
          Parallel(2, on: .processes()) { Invert() }
        }
        let parallel = try await dark.list()
        let serial = try await frames(of: path, shape).map { Invert().process($0) }
        #expect(parallel == serial)
      }
    }

    @Test("what ffmpeg says, and its exit code, are in the failure")
    func failures() async throws {
      try await withFolder { folder in
        let missing = await #expect(throws: PipelineError.self) { try await frames(of: "\(folder)/none.mkv", shape) }
        let failure = missing?.underlying as? ProgramFailure
        #expect(missing?.stage.name == "ReadFrames" && (failure?.exitCode ?? 0) != 0)
        #expect(failure?.standardError.contains("No such file") == true)

        let frame = try Frame(shape, Array(repeating: 0, count: shape.byteCount))
        let writing = Pipeline { Items(Array(repeating: frame, count: 200)) }.stage(
          WriteFrames(to: "\(folder)/none/1.mkv", shape))
        let error = await #expect(throws: (any Error).self) { try await writing.run() }
        let cause = (error as? ItemFailure)?.underlying ?? (error as? PipelineError)?.underlying
        #expect((cause as? ProgramFailure)?.standardError.contains("none/1.mkv") == true, "\(error as Any)")
      }
    }

    @Test("a program that is not there is named", .forks) func absentProgram() async throws {
      try await withFolder { folder in
        let absent = FFmpegCommand(from: .file("a"), to: .file("b"), program: "\(folder)/ffmpeg")
        let system = await #expect(throws: SystemError.self) { try await absent.run() }
        #expect(system?.description.contains("starting \(folder)/ffmpeg") == true)
      }
    }

    @Test("a frame of another shape fails, and a loop that is left ends ffmpeg")
    func wrongShapes() async throws {
      try await withFolder { folder in
        let wrong = try Frame(FrameShape(width: 2, height: 2), Array(repeating: 0, count: 12))
        let failure = await #expect(throws: ItemFailure.self) {
          try await Pipeline { Items([wrong]) }.stage(WriteFrames(to: "\(folder)/1.mkv", shape)).run()
        }
        #expect((failure?.underlying as? InvalidOption)?.value == "2×2×3")
        let endless = Pipeline { ReadFrames("testsrc=size=64x48:rate=5", shape, options: ["-f", "lavfi"]) }
        let some = try await endless.take(7).list()
        #expect(some.count == 7)
        let ended = try await endless.stage(TransformFrames(shape, to: shape, options: ["-frames:v", "3"])).list()
        #expect(ended.count == 3)
      }
    }
  }
}
