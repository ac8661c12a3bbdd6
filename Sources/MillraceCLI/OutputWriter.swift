#if CLI

#if canImport(Glibc)
import Glibc
import MillraceIPC
#endif

/// The only writer to our standard output and standard error: whole jobs, or whole lines, one at a time.
final class OutputWriter: Sendable {
  enum Stream: Int32, Sendable {
    case output = 1
    case error = 2
  }

  /// Thrown when whoever read our standard output has gone.
  struct ReaderGone: Error {}

  private let spill: SpillFile
  private let turn = Lock(())

  init(spill: SpillFile) { self.spill = spill }

  /// Prints the streams of a job, nothing of others between them; `tag` goes before each line.
  func write(_ captures: [(stream: Stream, capture: Capture)], tag: Bytes?) throws {
    try turn.withLock { _ in
      for (stream, capture) in captures {
        var isLineStart = true
        try capture.forEachPiece(spill) { piece in
          try Self.put(tag.map { Self.tagged(piece, $0, &isLineStart) } ?? piece, on: stream)
        }
      }
    }
  }

  /// Prints a message of our own on standard error.
  func say(_ message: String) {
    say(Bytes(message.utf8))
  }

  func say(_ message: Bytes) {
    turn.withLock { _ in
      try? Self.put(Bytes("millrace: ".utf8) + message + [.newline], on: .error)
    }
  }

  private static func put(_ bytes: Bytes, on stream: Stream) throws {
    do {
      try bytes.withUnsafeBytes { try writeAll($0, to: stream.rawValue) }
    } catch let error as SystemError {
      // A closed standard error loses messages, not results.
      guard stream == .output else { return }
      throw error.code == EPIPE ? ReaderGone() : SystemError("cannot write to standard output", code: error.code)
    }
  }

  private static func tagged(_ bytes: Bytes, _ tag: Bytes, _ isLineStart: inout Bool) -> Bytes {
    var result = Bytes()
    result.reserveCapacity(bytes.count + tag.count + 1)
    for byte in bytes {
      if isLineStart {
        result += tag
        result.append(.tab)
      }
      result.append(byte)
      isLineStart = byte == .newline
    }
    return result
  }
}
#endif
