/// What is made of a file that is there already.
public enum WriteMode: String, Sendable, Hashable, Codable {
  /// Nothing of it is left.
  case replace
  /// What is written comes behind it.
  case append
}

/// Writes each item into a file, as a line, and hands it on.
///
/// The file is made, or emptied, when the pipeline begins, so it is there even if nothing comes. Each line is handed to the system whole,
/// before its item goes on; several instances may write into one file.
public struct Write<Item: LineContent>: Stage {
  private let path: String
  private let mode: WriteMode
  private let terminator: String

  /// Writes to a file, with the terminator behind each item.
  public init(_ path: String, _ mode: WriteMode = .replace, as type: Item.Type, terminator: String = "\n") {
    self.path = absolutePath(path)
    self.mode = mode
    self.terminator = terminator
  }

  /// Opens the file.
  public func setUp(_ context: StageContext, _ out: Outlet<Item>) async throws -> OpenFile {
    OpenFile(try await WritableFile.open(path))
  }

  /// Writes the item, and puts it.
  public func process(_ item: Item, state file: inout OpenFile, _ out: Outlet<Item>) async throws {
    var bytes: [UInt8] = []
    item.append(to: &bytes)
    bytes += terminator.utf8
    try await file.file.append(bytes)
    try await out.put(item)
  }

  /// A file that is open for writing.
  public struct OpenFile: Sendable {
    fileprivate let file: WritableFile
    fileprivate init(_ file: WritableFile) { self.file = file }
  }
}

extension Write where Item == String {
  /// Writes strings to a file, with a new-line behind each.
  public init(_ path: String, _ mode: WriteMode = .replace, terminator: String = "\n") {
    self.init(path, mode, as: String.self, terminator: terminator)
  }
}

extension Write: OneOfOne {}

extension Write: PreparedStage {
  package func check() throws { try checkPath("Write", path) }
  package func prepare() throws { try WritableFile.make(path, empties: mode == .replace) }
}
