import Millrace
import MillraceFFmpeg

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Finds the edges in each frame of a video, in worker processes, and writes them into another; then checks every frame against a serial
/// run. With `--trap N` its workers trap on that frame: it is missing then, and all others are there.
@main
struct Video {
  static let shape = FrameShape(width: 160, height: 120, channels: 1)
  static let frames = 60

  static func main() async throws {
    let arguments = CommandLine.arguments
    let trap = arguments.firstIndex(of: "--trap").flatMap { $0 + 1 < arguments.count ? Int(arguments[$0 + 1]) : nil }
    guard let folder = arguments.dropFirst().first(where: { !$0.hasPrefix("--") && Int($0) == nil }) else {
      print("usage: Video FOLDER [--trap FRAME]")
      exit(64)
    }
    let (original, edges) = ("\(folder)/original.mkv", "\(folder)/edges.mkv")
    try await FFmpegCommand(
      from: .file("testsrc=size=160x120:rate=10", ["-f", "lavfi"]),
      to: .file(original, ["-frames:v", "\(frames)", "-c:v", "ffv1", "-pix_fmt", "gray"])
    ).run()

    let pipeline: Pipeline<Nothing, Frame> = Pipeline {
      ReadFrames(original, shape)
      Stamped()
      Pipeline { FindEdges(trap: trap) }.options(StageOptions(on: .processes(), onFailure: .skip))
      WriteFrames(to: edges, shape, rate: 10, options: ["-c:v", "ffv1", "-pix_fmt", "gray"])
    }
    try await pipeline.run()

    var expected: [Frame] = []
    let originals = try await Pipeline { ReadFrames(original, shape) }.list()
    for (number, frame) in originals.enumerated() where number != trap {
      expected.append(FindEdges(trap: nil).edges(of: frame))
    }
    let made = try await Pipeline { ReadFrames(edges, shape) }.list()
    guard made == expected, made.count == frames - (trap == nil ? 0 : 1) else {
      print("Video: the frames are not those of a serial run")
      exit(1)
    }
    print("\(made.count) of \(frames) frames, the same as one by one\(trap.map { "; frame \($0) has trapped" } ?? "")")
  }
}

/// Numbers the frames.
struct Stamped: Stage, Codable {
  struct Numbered: Sendable, Codable {
    var number: Int
    var frame: Frame
  }

  func setUp(_ context: StageContext, _ out: Outlet<Numbered>) -> Int { 0 }

  func process(_ frame: Frame, state next: inout Int, _ out: Outlet<Numbered>) async throws {
    try await out.put(Numbered(number: next, frame: frame))
    next += 1
  }
}

struct FindEdges: StatelessWorker, Codable {
  var trap: Int?

  func process(_ item: Stamped.Numbered) -> Frame {
    precondition(item.number != trap, "frame \(item.number)")
    return edges(of: item.frame)
  }

  /// How much a pixel differs from those to its right and below it.
  func edges(of frame: Frame) -> Frame {
    var edges = frame
    let (width, height) = (frame.shape.width, frame.shape.height)
    for y in 0..<height {
      for x in 0..<width {
        let here = Int(frame[x, y, 0])
        let right = Int(frame[min(x + 1, width - 1), y, 0])
        let below = Int(frame[x, min(y + 1, height - 1), 0])
        edges[x, y, 0] = UInt8(min(255, abs(here - right) + abs(here - below)))
      }
    }
    return edges
  }
}
