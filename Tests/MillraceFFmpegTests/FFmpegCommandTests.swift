import Millrace
import MillraceFFmpeg
import Testing

/// The command line, which needs no ffmpeg.
@Suite struct FFmpegCommandTests {
  private let shape = FrameShape(width: 64, height: 48)

  @Test("X24 width comes before height on both sides, and options where they belong")
  func sides() throws {
    let beginning = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y"]
    let files = FFmpegCommand(from: .file("a.mp4", ["-ss", "1"]), to: .file("b.mkv", ["-c", "copy"]), options: ["-n"])
    #expect(
      try files.arguments() == beginning + ["-n", "-nostdin", "-ss", "1", "-i", "a.mp4", "-c", "copy", "b.mkv"])
    let reading = FFmpegCommand(from: .file("a.mp4"), to: .frames(shape, ["-vf", "hflip"]))
    #expect(
      try reading.arguments()
        == beginning + [
          "-nostdin", "-i", "a.mp4", "-vf", "hflip", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "pipe:1",
        ])
    let gray = FrameShape(width: 64, height: 48, channels: 1)
    let writing = FFmpegCommand(from: .frames(gray, ["-framerate", "5"]), to: .file("-b.mkv"))
    #expect(
      try writing.arguments()
        == beginning + [
          "-f", "rawvideo", "-pix_fmt", "gray", "-video_size", "64x48", "-framerate", "5", "-i", "pipe:0", "./-b.mkv",
        ])
    let both = FFmpegCommand(from: .frames(shape), to: .frames(FrameShape(width: 32, height: 24, channels: 4)))
    #expect(
      try both.arguments()
        == beginning + [
          "-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", "64x48", "-i", "pipe:0", "-f", "rawvideo", "-pix_fmt",
          "rgba", "-s", "32x24", "pipe:1",
        ])
  }

  @Test(
    "what ffmpeg cannot be given is refused by name",
    arguments: [
      (FFmpegCommand(from: .file(""), to: .file("b")), "the input of ffmpeg"),
      (FFmpegCommand(from: .file("a"), to: .file("")), "the output of ffmpeg"),
      (FFmpegCommand(from: .file("a"), to: .frames(FrameShape(width: 0, height: 4))), "FrameShape(width:)"),
      (FFmpegCommand(from: .frames(FrameShape(width: 4, height: -1)), to: .file("b")), "FrameShape(height:)"),
      (
        FFmpegCommand(from: .file("a"), to: .frames(FrameShape(width: 4, height: 4, channels: 2))),
        "FrameShape(channels:)"
      ),
      (FFmpegCommand(from: .file("a\0b"), to: .file("b")), "an argument of ffmpeg"),
    ])
  func refusals(command: FFmpegCommand, name: String) {
    let error = #expect(throws: InvalidOption.self) { try command.arguments() }
    #expect(error?.name == name)
  }

  @Test("U326: a rate that means nothing is refused before anything begins", arguments: [0, -5, 1_000_001, Int.max])
  func rates(rate: Int) async throws {
    let shape = shape
    let writing = Pipeline<Nothing, Frame> {
      Items([Frame]())
      WriteFrames(to: "/dev/null", shape, rate: rate)
    }
    let transforming = Pipeline<Nothing, Frame> {
      Items([Frame]())
      TransformFrames(shape, to: shape, rate: rate)
    }
    for (pipeline, name) in [(writing, "WriteFrames"), (transforming, "TransformFrames")] {
      let error = await #expect(throws: InvalidOption.self) { try await pipeline.run() }
      #expect(error?.name == "\(name)(rate:)")
      #expect(pipeline.layout().contains("refused: \(name)(rate:) is \(rate): it has to be 1 to 1000000"))
    }
  }

  @Test("a frame has the bytes of its shape, line by line")
  func frames() throws {
    var frame = try Frame(FrameShape(width: 2, height: 3, channels: 3), Array(0..<18))
    #expect(frame[1, 2, 0] == 15 && frame[0, 1, 2] == 8)
    frame[1, 0, 1] = 99
    #expect(frame.bytes[4] == 99)
    #expect(throws: InvalidOption.self) { try Frame(FrameShape(width: 2, height: 3), [0]) }
  }
}
