/// Reads a file line by line; with `follow`, goes on as it grows (`tail -F`).
///
/// It reads whatever can be opened: also a FIFO, a terminal, `/dev/stdin`, a file in `/proc`. Who follows a file waits until there is one of
/// that name, and a folder for it, reads a new one of that name from its beginning, and one that has become shorter as well. It goes on until nobody wants more.
/// What the system does not tell of is seen within a second: what other machines write, and that a symbolic link leads elsewhere.
public struct Read<Line: LineContent>: Source {
  private let path: String
  /// What is open already, if it reads that.
  private let descriptor: Int32?
  private let separator: String
  private let keepsSeparators: Bool
  private let follows: Bool

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - type: What lines are: `String`, or `[UInt8]`.
  ///   - separator: What stands between two lines.
  ///   - keepsSeparators: Whether each line ends with it, as it does in the file.
  ///   - follow: Whether it goes on as the file grows.
  public init(
    _ path: String, as type: Line.Type, separator: String = "\n", keepsSeparators: Bool = false, follow: Bool = false
  ) {
    self.path = absolutePath(path)
    descriptor = nil
    self.separator = separator
    self.keepsSeparators = keepsSeparators
    follows = follow
  }

  /// Reads what is open: a socket, a pipe, a terminal, until whoever writes there has closed it.
  ///
  /// It stays the caller's, who keeps it open during the run and closes it. What is read is gone from it: some more than the lines that
  /// were put.
  ///
  /// - Parameters:
  ///   - descriptor: Its number, 0 or more.
  ///   - type: What lines are: `String`, or `[UInt8]`.
  ///   - separator: What stands between two lines.
  ///   - keepsSeparators: Whether each line ends with it.
  public init(descriptor: Int32, as type: Line.Type, separator: String = "\n", keepsSeparators: Bool = false) {
    path = "descriptor \(descriptor)"
    self.descriptor = descriptor
    self.separator = separator
    self.keepsSeparators = keepsSeparators
    follows = false
  }

  /// Puts its lines.
  public func produce(_ out: Outlet<Line>) async throws {
    let file = try descriptor.map { try ReadableFile(descriptor: $0) } ?? ReadableFile(path, follows: follows)
    var splitter = LineSplitter(Array(separator.utf8), keepsSeparators: keepsSeparators)
    var number = 0
    while true {
      let piece = try await file.next()
      let lines =
        if case .bytes(let bytes)? = piece { splitter.take(bytes) } else { splitter.takeRest() }
      for bytes in lines {
        number += 1
        guard let line = bytes.withUnsafeBytes({ Line(lineBytes: $0) }) else {
          throw InvalidLine(path: path, number: number)
        }
        try await out.put(line)
      }
      switch piece {
      case .bytes: break
      case .beginning: number = 0
      case nil: return
      }
    }
  }
}

extension Read where Line == String {
  /// Reads a file's lines as text, which is to be UTF-8.
  public init(_ path: String, separator: String = "\n", keepsSeparators: Bool = false, follow: Bool = false) {
    self.init(path, as: String.self, separator: separator, keepsSeparators: keepsSeparators, follow: follow)
  }

  /// Reads lines of text, which is to be UTF-8, from what is open: a socket, a pipe, a terminal.
  public init(descriptor: Int32, separator: String = "\n", keepsSeparators: Bool = false) {
    self.init(descriptor: descriptor, as: String.self, separator: separator, keepsSeparators: keepsSeparators)
  }
}

extension Read: CheckedStage {
  package func check() throws {
    try checkPath("Read", path)
    if let descriptor { try InvalidOption.check("Read(descriptor:)", Int(descriptor), in: 0...Int.max) }
    if separator.isEmpty { throw InvalidOption(name: "Read(separator:)", value: "\"\"", allowed: "not empty") }
  }
}

/// Cuts bytes, as they come, at a separator.
package struct LineSplitter {
  private let separator: [UInt8]
  private let keepsSeparators: Bool
  private var rest: [UInt8] = []
  /// How far no separator begins.
  private var searched = 0

  package init(_ separator: [UInt8], keepsSeparators: Bool) {
    self.separator = separator
    self.keepsSeparators = keepsSeparators
  }

  /// The lines that are whole with these bytes.
  package mutating func take(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    if rest.isEmpty { rest = bytes } else { rest += bytes }
    var lines: [ArraySlice<UInt8>] = []
    var start = 0
    while let end = next() {
      lines.append(rest[start..<(keepsSeparators ? end + separator.count : end)])
      start = end + separator.count
      searched = start
    }
    if start > 0 {
      rest = Array(rest[start...])
      searched -= start
    }
    return lines
  }

  /// What is left at the end, if anything is.
  package mutating func takeRest() -> [ArraySlice<UInt8>] {
    defer { (rest, searched) = ([], 0) }
    return rest.isEmpty ? [] : [rest[...]]
  }

  private mutating func next() -> Int? {
    while let place = rest[searched...].firstIndex(of: separator[0]) {
      if place + separator.count > rest.count {
        searched = place
        return nil
      }
      if rest[place..<place + separator.count].elementsEqual(separator) { return place }
      searched = place + 1
    }
    searched = rest.count
    return nil
  }
}
