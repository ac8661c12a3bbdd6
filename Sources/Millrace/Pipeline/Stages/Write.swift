#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

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
  /// What is open already, if it writes there, and in which process; -1: a file, wherever.
  private let descriptor: Int32
  private let owner: Int32

  /// Writes to a file, with the terminator behind each item.
  public init(_ path: String, _ mode: WriteMode = .replace, as type: Item.Type, terminator: String = "\n") {
    self.path = absolutePath(path)
    self.mode = mode
    self.terminator = terminator
    (descriptor, owner) = (-1, -1)
  }

  /// Writes to what is open: a socket, a pipe, a terminal, with the terminator behind each item.
  ///
  /// It stays the caller's, who keeps it open during the run and closes it: whoever reads there waits for that. It is of the program, so the
  /// stage runs there, whatever backend the pipeline has: in `Serial(on: .threads(1)) { … }` if that is another. One that does not is
  /// refused when it is set up.
  public init(descriptor: Int32, as type: Item.Type, terminator: String = "\n") {
    path = "descriptor \(descriptor)"
    (mode, self.terminator) = (.append, terminator)
    (self.descriptor, owner) = (descriptor, getpid())
  }

  /// Opens the file, or takes what is open.
  public func setUp(_ context: StageContext, _ out: Outlet<Item>) async throws -> OpenFile {
    guard owner >= 0 else { return OpenFile(try await WritableFile.open(path)) }
    guard owner == getpid() else {
      throw InvalidOption(
        name: "Write(descriptor:)", value: descriptor,
        allowed: "in the program that has opened it, as in Serial(on: .threads(1)) { … }")
    }
    return OpenFile(try WritableFile(descriptor: descriptor))
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

  /// Writes strings to what is open: a socket, a pipe, a terminal, with a new-line behind each.
  public init(descriptor: Int32, terminator: String = "\n") {
    self.init(descriptor: descriptor, as: String.self, terminator: terminator)
  }
}

extension Write: OneOfOne {}

extension Write: PreparedStage {
  package func check() throws {
    try checkPath("Write", path)
    if owner >= 0 { try InvalidOption.check("Write(descriptor:)", Int(descriptor), in: 0...Int.max) }
  }

  package func prepare() throws { if owner < 0 { try WritableFile.make(path, empties: mode == .replace) } }
}
