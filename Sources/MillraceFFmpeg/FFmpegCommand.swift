import Millrace

/// A call of ffmpeg: what it reads, what it writes, and with which options. A value; nothing runs.
public struct FFmpegCommand: Sendable, Hashable, Codable {
  /// One side of it.
  public enum End: Sendable, Hashable, Codable {
    /// A file, or whatever else ffmpeg takes in its place, with the options that stand before it.
    case file(String, [String] = [])
    /// Frames, to or from this program, with the options that stand before them.
    case frames(FrameShape, [String] = [])
  }

  /// What it reads.
  public var input: End
  /// What it writes. A file of that name is replaced.
  public var output: End
  /// Options for all of it, such as `["-threads", "1"]`.
  public var options: [String]
  /// The program.
  public var program: String

  /// A call of ffmpeg.
  public init(from input: End, to output: End, options: [String] = [], program: String = "ffmpeg") {
    self.input = input
    self.output = output
    self.options = options
    self.program = program
  }

  /// The program and its arguments.
  ///
  /// - Throws: An `InvalidOption` for a shape that there is not, a file without a name, an argument with a NUL in it.
  public func arguments() throws -> [String] {
    var arguments = [program, "-hide_banner", "-loglevel", "error", "-y"] + options
    switch input {
    case .file(let name, let options):
      arguments += ["-nostdin"] + options + ["-i", try checked(name, "input")]
    case .frames(let shape, let options):
      try shape.check()
      arguments += ["-f", "rawvideo", "-pix_fmt", shape.pixelFormat, "-video_size", shape.size]
      arguments += options + ["-i", "pipe:0"]
    }
    switch output {
    case .file(let name, let options):
      let name = try checked(name, "output")
      // What looks like an option is a file.
      arguments += options + [name.utf8.first == UInt8(ascii: "-") ? "./\(name)" : name]
    case .frames(let shape, let options):
      try shape.check()
      arguments += options + ["-f", "rawvideo", "-pix_fmt", shape.pixelFormat, "-s", shape.size, "pipe:1"]
    }
    if let wrong = arguments.first(where: { $0.utf8.contains(0) }) {
      throw InvalidOption(name: "an argument of ffmpeg", value: wrong.debugDescription, allowed: "without NUL")
    }
    return arguments
  }

  private func checked(_ name: String, _ side: String) throws -> String {
    guard !name.isEmpty else { throw InvalidOption(name: "the \(side) of ffmpeg", value: "\"\"", allowed: "named") }
    return name
  }

  /// Runs it where neither side is frames. Cancelling whoever waits ends it.
  ///
  /// - Throws: A `ProgramFailure` with its exit code and what it says, if it fails.
  public func run() async throws {
    if case .frames = input { throw InvalidOption(name: "the input of a run", value: "frames", allowed: "a file") }
    if case .frames = output { throw InvalidOption(name: "the output of a run", value: "frames", allowed: "a file") }
    _ = try await ProgramTalk.start(arguments()).finish()
  }
}
