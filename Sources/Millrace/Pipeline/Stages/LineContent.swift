/// What a line of a file is read as, or written from: `String`, which is UTF-8, or `[UInt8]`, which is anything.
public protocol LineContent: Sendable {
  /// The bytes of the line, without what separates it from the next; nil if they cannot be that.
  init?(lineBytes: UnsafeRawBufferPointer)
  /// How many bytes it is.
  var byteCount: Int { get }
  /// Adds its bytes to others.
  func append(to bytes: inout [UInt8])
}

extension String: LineContent {
  /// The text, if it is UTF-8.
  public init?(lineBytes: UnsafeRawBufferPointer) {
    self.init(validating: lineBytes.bindMemory(to: UInt8.self), as: UTF8.self)
  }
  /// How many bytes it is in UTF-8.
  public var byteCount: Int { utf8.count }
  /// Adds its UTF-8.
  public func append(to bytes: inout [UInt8]) { bytes += utf8 }
}

extension [UInt8]: LineContent {
  /// The bytes.
  public init?(lineBytes: UnsafeRawBufferPointer) { self.init(lineBytes) }
  /// How many they are.
  public var byteCount: Int { count }
  /// Adds them.
  public func append(to bytes: inout [UInt8]) { bytes += self }
}

/// A line that is not what it is to be read as.
public struct InvalidLine: Error, Hashable, Sendable, Codable, CustomStringConvertible {
  /// The file; of a program's output, the program.
  public var path: String
  /// Which line of it, from 1.
  public var number: Int

  private var isOfProgram: Bool

  init(path: String, number: Int) { (self.path, self.number, isOfProgram) = (path, number, false) }
  /// A line of what a program has written.
  init(program: String, number: Int) { (path, self.number, isOfProgram) = (program, number, true) }

  /// Which line, and what to do.
  public var description: String {
    if isOfProgram {
      return
        "line \(number) of what \(path) has written is not UTF-8, and a Command gives text: have it write text, or a file"
    }
    return "line \(number) of \(path) is not UTF-8: read it as bytes (as: [UInt8].self)"
  }
}
