#if CLI

import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
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
  /// The streams that are the terminal on which bars are drawn.
  private let beside: Set<Stream>

  /// - Parameter hasBars: what goes to a terminal goes above bars on standard error.
  init(spill: SpillFile, hasBars: Bool = false) {
    self.spill = spill
    beside = hasBars ? Set([.output, .error].filter { isatty($0.rawValue) != 0 }) : []
  }

  /// Prints the streams of a job, nothing of others between them; `tag` goes before each line.
  func write(_ captures: [(stream: Stream, capture: Capture)], tag: Bytes?) throws {
    try turn.withLock { _ in
      guard captures.contains(where: { beside.contains($0.stream) }) else {
        return try put(captures, tag: tag) { _ in }
      }
      var last = UInt8.newline
      try ProgressBoard.shared.terminal.aside(endsLine: { last == .newline }) {
        try put(captures, tag: tag) { last = $0 }
      }
    }
  }

  /// - Parameter wrote: told the last byte of what has gone to a terminal.
  private func put(
    _ captures: [(stream: Stream, capture: Capture)], tag: Bytes?, wrote: (UInt8) -> Void
  ) throws {
    for (stream, capture) in captures {
      var isLineStart = true
      try capture.forEachPiece(spill) { piece in
        try Self.put(tag.map { Self.tagged(piece, $0, &isLineStart) } ?? piece, on: stream)
        if let last = piece.last, beside.contains(stream) { wrote(last) }
      }
    }
  }

  /// Writes lines of a log that is one of our streams, too.
  /// - Throws: the `SystemError` of whichever stream it is, or `ReaderGone`.
  func write(_ lines: Bytes, on stream: Stream) throws {
    try turn.withLock { _ in
      do {
        guard beside.contains(stream) else {
          return try lines.withUnsafeBytes { try writeAll($0, to: stream.rawValue) }
        }
        try ProgressBoard.shared.terminal.aside { try lines.withUnsafeBytes { try writeAll($0, to: stream.rawValue) } }
      } catch let error as SystemError where stream == .output && error.code == EPIPE {
        throw ReaderGone()
      }
    }
  }

  /// Prints a message of our own on standard error.
  func say(_ message: String) {
    say(Bytes(message.utf8))
  }

  func say(_ message: Bytes) {
    turn.withLock { _ in
      let line = Bytes("millrace: ".utf8) + message + [.newline]
      guard beside.contains(.error) else { return (try? Self.put(line, on: .error)) ?? () }
      ProgressBoard.shared.terminal.aside { try? Self.put(line, on: .error) }
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
