import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Runs a script for each item, where items are files: PaPy's `script`.
///
/// An item says which file is at which *port*. The script is told by a JSON file, whose name is its last argument:
///
/// ```text
/// {"in": {"message": "/data/work.txt"}, "out": {"greeting": "/data/work_sh-greeting.txt"}, "params": {"name": "Ann"}}
/// ```
///
/// and makes the files of `out`, which are what becomes of the item. Each is named after the file at the first of the ports that come in:
/// its name without its extension, `_`, the script's id, `-`, the port, and the port's extension. Where the ports that go out are those that come
/// in, the port is left out. A script that does not exit with 0 fails its item, with a ``ProgramFailure``.
public struct Script: StatelessWorker, Codable, Hashable {
  /// Which file is at which port.
  public typealias Ports = [String: String]

  /// A port that a script writes to.
  public struct Port: Codable, Sendable, Hashable {
    /// What it is called.
    public var name: String
    /// What the names of its files end with.
    public var fileExtension: String

    /// A port by a name, whose files end with an extension.
    public init(_ name: String, _ fileExtension: String) {
      self.name = name
      self.fileExtension = fileExtension
    }
  }

  /// What it is called, in the names of its files.
  public var id: String
  /// What runs it: a program and arguments, such as `["python3"]`.
  public var evaluator: [String]
  /// The script: the name of its file.
  public var file: String
  /// The ports that it reads.
  public var inputs: [String]
  /// The ports that it writes.
  public var outputs: [Port]
  /// What it is told besides.
  public var parameters: [String: String]
  /// Where its files are made.
  public var folder: String

  /// A script in a file.
  ///
  /// - Parameters:
  ///   - id: What it is called, in the names of its files.
  ///   - evaluator: What runs it, with arguments.
  ///   - file: The script.
  ///   - inputs: The ports that it reads.
  ///   - outputs: The ports that it writes, with the extensions of their files.
  ///   - parameters: What it is told besides.
  ///   - folder: Where its files are made.
  public init(
    id: String, _ evaluator: [String], _ file: String, in inputs: [String], out outputs: [Port],
    parameters: [String: String] = [:], folder: String
  ) {
    self.id = id
    self.evaluator = evaluator
    self.file = absolutePath(file)
    self.inputs = inputs
    self.outputs = outputs
    self.parameters = parameters
    self.folder = absolutePath(folder)
  }

  /// Runs it. The files of other ports that came in are not handed on.
  public func process(_ item: Ports) async throws -> Ports {
    var ports: Ports = [:]
    for port in inputs {
      guard let file = item[port] else {
        let names = item.keys.sorted().joined(separator: ", ")
        throw InvalidOption(name: "the item of script \(id)", value: names, allowed: "with a file for port \(port)")
      }
      try checkPath("port \(port), which came to script \(id)", file)
      ports[port] = file
    }
    let made = made(from: ports)
    let told =
      "{\"in\": \(JSON.object(ports)), \"out\": \(JSON.object(made)), \"params\": \(JSON.object(parameters))}\n"
    let list = try TemporaryFile(in: folder, told)
    let program = try await ProgramTalk.start(evaluator + [file, list.path], folder: folder)
    _ = try await program.finish()
    withExtendedLifetime(list) {}
    for (port, path) in made where access(path, R_OK) != 0 {
      throw SystemError("script \(id) has made no file for port \(port): \(path)", errno)
    }
    return made
  }

  private func made(from ports: Ports) -> Ports {
    let first = inputs.first.flatMap { ports[$0] } ?? id
    var base = first[...]
    if let slash = base.lastIndex(of: "/") { base = base[base.index(after: slash)...] }
    if let dot = base.lastIndex(of: "."), dot != base.startIndex { base = base[..<dot] }
    let isSame = inputs.sorted() == outputs.map(\.name).sorted()
    var made: Ports = [:]
    for port in outputs {
      let middle = isSame ? id : "\(id)-\(port.name)"
      let end = port.fileExtension.isEmpty ? "" : ".\(port.fileExtension)"
      made[port.name] = "\(folder)/\(base)_\(middle)\(end)"
    }
    return made
  }
}

extension Script: CheckedStage {
  package func check() throws {
    try checkPath("script \(id)", file)
    try checkPath("the folder of script \(id)", folder)
    for port in outputs { try checkPath("port \(port.name) of script \(id)", "\(id)\(port.name)\(port.fileExtension)") }
    if evaluator.isEmpty { throw InvalidOption(name: "Script(evaluator)", value: "[]", allowed: "a program") }
    try ProgramTalk.check(evaluator)
    let isSame = inputs.sorted() == outputs.map(\.name).sorted()
    if isSame, outputs.count > 1, Set(outputs.map(\.fileExtension)).count < outputs.count {
      throw InvalidOption(
        name: "the outputs of script \(id)", value: "ports of one extension, named as those that come in",
        allowed: "told apart by their extensions or names")
    }
  }
}

/// A file that is gone with whoever made it.
private final class TemporaryFile {
  let path: String

  init(in folder: String, _ text: String) throws {
    path = "\(folder)/.millrace-script-\(String(UInt64.random(in: 0 ... .max), radix: 16))"
    let number = millrace_fd_open_own(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    guard number >= 0 else { throw SystemError("making a file in \(folder)", errno) }
    let file = Descriptor(owning: number)
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count: Int = rest.withUnsafeBytes { millrace_write_quietly(file.rawValue, $0.baseAddress, UInt($0.count)) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw SystemError("writing \(path)", count < 0 ? errno : ENOSPC) }
      rest = rest.dropFirst(count)
    }
  }

  deinit { unlink(path) }
}

private enum JSON {
  static func object(_ values: [String: String]) -> String {
    "{" + values.sorted { $0.key < $1.key }.map { "\(text($0.key)): \(text($0.value))" }.joined(separator: ", ") + "}"
  }

  private static func text(_ value: String) -> String {
    var text = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}
