public import Millrace

/// A video file as it is made of another: puts the name of the new one when it is whole.
public struct ConvertVideo: Source, CheckedStage {
  /// What is run.
  public let command: FFmpegCommand
  private let output: String

  /// Makes one file of another.
  public init(
    _ input: String, options inputOptions: [String] = [], to output: String, outputOptions: [String] = []
  ) {
    command = FFmpegCommand(from: .file(input, inputOptions), to: .file(output, outputOptions))
    self.output = output
  }

  /// Runs it.
  public func produce(_ out: Outlet<String>) async throws {
    try await command.run()
    try await out.put(output)
  }

  package func check() throws { _ = try command.arguments() }
}

/// The frames of a video file, in order, in the shape that is asked for.
public struct ReadFrames: Source, CheckedStage {
  /// What is run.
  public let command: FFmpegCommand
  private let shape: FrameShape

  /// Reads a file; frames of another size are scaled.
  ///
  /// - Parameters:
  ///   - options: What stands before the file.
  ///   - outputOptions: What stands before the frames, such as `["-vf", "fps=1"]`.
  public init(_ file: String, _ shape: FrameShape, options: [String] = [], outputOptions: [String] = []) {
    command = FFmpegCommand(from: .file(file, options), to: .frames(shape, outputOptions))
    self.shape = shape
  }

  /// Puts them.
  public func produce(_ out: Outlet<Frame>) async throws {
    let program = try await ProgramTalk.start(command.arguments())
    try await program.endInput()
    var cutter = FrameCutter(shape)
    while let bytes = try await program.read() {
      for frame in try cutter.take(bytes) { try await out.put(frame) }
    }
    for frame in try cutter.take(try await program.finish()) { try await out.put(frame) }
    try cutter.checkEnd()
  }

  package func check() throws { _ = try command.arguments() }
}

/// Writes frames into a video file, and hands each on. The file is whole when the pipeline has ended.
public struct WriteFrames: Stage, CheckedStage {
  /// What is run.
  public let command: FFmpegCommand
  private let shape: FrameShape
  private let rate: Int

  /// Writes a file, with so many frames a second.
  ///
  /// - Parameters:
  ///   - rate: How many, from 1 to 1,000,000.
  ///   - options: What stands before the file, such as `["-c:v", "ffv1"]`.
  public init(to file: String, _ shape: FrameShape, rate: Int = 25, options: [String] = []) {
    command = FFmpegCommand(
      from: .frames(shape, ["-framerate", "\(rate)"]), to: .file(absolutePath(file), options))
    self.shape = shape
    self.rate = rate
  }

  /// Starts ffmpeg.
  public func setUp(_ context: StageContext, _ out: Outlet<Frame>) async throws -> FrameProgram {
    FrameProgram(try await ProgramTalk.start(command.arguments()), shape)
  }

  /// Writes the frame, and puts it.
  public func process(_ frame: Frame, state: inout FrameProgram, _ out: Outlet<Frame>) async throws {
    guard try await state.write(frame, as: shape) != nil else {
      // It says why itself, or has had enough.
      _ = try await state.program.finish()
      return out.stop()
    }
    try await out.put(frame)
  }

  /// Waits until the file is whole.
  public func tearDown(_ state: consuming FrameProgram, _ out: Outlet<Frame>) async throws {
    _ = try await state.program.finish()
  }

  package func check() throws {
    try checkRate("WriteFrames", rate)
    _ = try command.arguments()
  }
}

/// Frames through ffmpeg's filters: as many come out as its options make of them, in the shape that is asked for.
public struct TransformFrames: Stage, CheckedStage {
  /// What is run.
  public let command: FFmpegCommand
  private let shapes: [FrameShape]
  private let rate: Int

  /// Turns frames of one shape into frames of another.
  ///
  /// - Parameters:
  ///   - options: What stands before the frames that come out, such as `["-vf", "hflip"]`.
  ///   - rate: How many frames a second there are, from 1 to 1,000,000.
  public init(_ input: FrameShape, to output: FrameShape, rate: Int = 25, options: [String] = []) {
    command = FFmpegCommand(from: .frames(input, ["-framerate", "\(rate)"]), to: .frames(output, options))
    shapes = [input, output]
    self.rate = rate
  }

  /// Starts ffmpeg.
  public func setUp(_ context: StageContext, _ out: Outlet<Frame>) async throws -> FrameProgram {
    FrameProgram(try await ProgramTalk.start(command.arguments()), shapes[1])
  }

  /// Writes the frame, and puts what has come out.
  public func process(_ frame: Frame, state: inout FrameProgram, _ out: Outlet<Frame>) async throws {
    if let failure = state.failure { throw failure }
    if state.hasFinished { return }
    if let bytes = try await state.write(frame, as: shapes[0]) {
      for frame in try state.cutter.take(bytes) { try await out.put(frame) }
    } else {
      try await finish(&state, out)
      out.stop()
    }
  }

  /// Puts what is left.
  public func tearDown(_ state: consuming FrameProgram, _ out: Outlet<Frame>) async throws {
    var state = state
    if !state.hasFinished { try await finish(&state, out) }
  }

  private func finish(_ state: inout FrameProgram, _ out: Outlet<Frame>) async throws {
    state.hasFinished = true
    do {
      for frame in try state.cutter.take(try await state.program.finish()) { try await out.put(frame) }
      try state.cutter.checkEnd()
    } catch {
      state.failure = error
      throw error
    }
  }

  package func check() throws {
    try checkRate("TransformFrames", rate)
    _ = try command.arguments()
  }
}

/// ffmpeg counts them as a fraction of numbers that are not much larger.
private func checkRate(_ name: String, _ rate: Int) throws {
  guard (1...1_000_000).contains(rate) else {
    throw InvalidOption(name: "\(name)(rate:)", value: rate, allowed: "1 to 1000000")
  }
}

/// An ffmpeg that runs for a stage.
public struct FrameProgram: Sendable {
  let program: ProgramTalk
  var cutter: FrameCutter
  var hasFinished = false
  /// Why nothing comes of further frames.
  var failure: (any Error)?

  init(_ program: ProgramTalk, _ shape: FrameShape) {
    self.program = program
    cutter = FrameCutter(shape)
  }

  /// What has come out meanwhile; nil: it reads no more.
  func write(_ frame: Frame, as shape: FrameShape) async throws -> [UInt8]? {
    guard frame.shape == shape else {
      throw InvalidOption(name: "the shape of a frame", value: frame.shape, allowed: "\(shape), as the stage was told")
    }
    guard frame.bytes.count == shape.byteCount else {
      throw InvalidOption(
        name: "the bytes of a frame", value: frame.bytes.count, allowed: "\(shape.byteCount), for \(shape)")
    }
    return try await program.write(frame.bytes)
  }
}
