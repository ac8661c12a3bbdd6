import Millrace

/// How large frames are, and what a pixel is: width, height, channels, in this order.
public struct FrameShape: Sendable, Hashable, Codable, CustomStringConvertible {
  /// Pixels in a line.
  public var width: Int
  /// Lines.
  public var height: Int
  /// Bytes of a pixel: 1 is gray, 3 red, green and blue, 4 these and opacity.
  public var channels: Int

  /// So wide, so high, with so many bytes a pixel.
  public init(width: Int, height: Int, channels: Int = 3) {
    self.width = width
    self.height = height
    self.channels = channels
  }

  /// How many bytes a frame has.
  public var byteCount: Int { width * height * channels }

  /// Width × height × channels.
  public var description: String { "\(width)×\(height)×\(channels)" }

  /// As ffmpeg wants it, in this order on both sides: width first.
  var size: String { "\(width)x\(height)" }

  /// ffmpeg's name for the pixels.
  var pixelFormat: String { channels == 1 ? "gray" : channels == 3 ? "rgb24" : "rgba" }

  func check() throws {
    for (name, value) in [("width", width), ("height", height)] where !(1...65_536).contains(value) {
      throw InvalidOption(name: "FrameShape(\(name):)", value: value, allowed: "1 to 65536")
    }
    guard [1, 3, 4].contains(channels) else {
      throw InvalidOption(name: "FrameShape(channels:)", value: channels, allowed: "1, 3 or 4")
    }
  }
}

/// A picture of a video: its pixels, line by line from the top, each from the left.
public struct Frame: Sendable, Hashable, Codable {
  /// How large it is.
  public let shape: FrameShape
  /// Its pixels.
  public var bytes: [UInt8]

  /// A frame of these pixels.
  ///
  /// - Throws: An `InvalidOption` if there are not as many bytes as the shape has.
  public init(_ shape: FrameShape, _ bytes: [UInt8]) throws {
    try shape.check()
    guard bytes.count == shape.byteCount else {
      throw InvalidOption(
        name: "the bytes of a frame", value: bytes.count, allowed: "\(shape.byteCount), for \(shape)")
    }
    self.shape = shape
    self.bytes = bytes
  }

  /// A byte of a pixel: column, line, channel. Traps where there is none.
  public subscript(x: Int, y: Int, channel: Int) -> UInt8 {
    get { bytes[place(x, y, channel)] }
    set { bytes[place(x, y, channel)] = newValue }
  }

  private func place(_ x: Int, _ y: Int, _ channel: Int) -> Int {
    precondition(
      0..<shape.width ~= x && 0..<shape.height ~= y && 0..<shape.channels ~= channel, "no such pixel in \(shape)")
    return (y * shape.width + x) * shape.channels + channel
  }
}

/// Cuts bytes, as they come, into frames.
struct FrameCutter: Sendable {
  let shape: FrameShape
  private var rest: [UInt8] = []

  init(_ shape: FrameShape) { self.shape = shape }

  mutating func take(_ bytes: [UInt8]) throws -> [Frame] {
    rest += bytes
    let size = shape.byteCount
    guard rest.count >= size else { return [] }
    let whole = rest.count / size
    let frames = try (0..<whole).map { try Frame(shape, Array(rest[$0 * size..<($0 + 1) * size])) }
    rest.removeFirst(whole * size)
    return frames
  }

  /// At the end: what is left over is no frame.
  func checkEnd() throws {
    guard !rest.isEmpty else { return }
    throw InvalidOption(
      name: "the last frame of ffmpeg", value: "\(rest.count) bytes", allowed: "\(shape.byteCount) bytes, for \(shape)")
  }
}
