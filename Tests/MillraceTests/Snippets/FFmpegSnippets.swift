import Millrace
import MillraceFFmpeg

// What "Pipelines" shows of videos.

enum FFmpegSnippets {
  static func negative(_ original: String, _ negative: String) async throws {
    let shape = FrameShape(width: 640, height: 360, channels: 1)
    let video: Pipeline<Nothing, Frame> = Pipeline {
      ReadFrames(original, shape, outputOptions: ["-vf", "fps=5"])
      Map { (frame: Frame) in try Frame(frame.shape, frame.bytes.map { 255 - $0 }) }
      WriteFrames(to: negative, shape, rate: 5)
    }
    try await video.run()
  }
}
