#if CLI
/// One replacement string: which value, and which part of it.
struct Replacement: Equatable, Sendable {
  enum Source: Equatable, Sendable {
    case all
    /// 1 is the first value, -1 the last.
    case position(Int)
    case sequence
    case slot
  }

  enum Part: String, Sendable {
    case whole = ""
    case withoutExtension = "."
    case name = "/"
    case directory = "//"
    case nameWithoutExtension = "/."
  }

  var source: Source
  var part: Part

  init(source: Source, part: Part) {
    self.source = source
    self.part = part
  }

  /// Reads what stands between the braces; nil if it is no replacement string.
  init?(_ text: ArraySlice<UInt8>) {
    switch text {
    case [UInt8(ascii: "#")]: self.init(source: .sequence, part: .whole)
    case [UInt8(ascii: "%")]: self.init(source: .slot, part: .whole)
    default:
      let number = text.prefix { $0 == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      guard let part = Part(rawValue: String(decoding: text.dropFirst(number.count), as: UTF8.self)) else {
        return nil
      }
      if number.isEmpty {
        self.init(source: .all, part: part)
      } else {
        guard let position = Int(String(decoding: number, as: UTF8.self)), position != 0 else { return nil }
        self.init(source: .position(position), part: part)
      }
    }
  }

  /// What stands in its place: one value, several for `{}` over several sources, none for a position that is not there.
  func values(for job: JobValues) -> [Bytes] {
    switch source {
    case .sequence: [Bytes(String(job.sequence).utf8)]
    case .slot: [Bytes(String(job.slot).utf8)]
    case .all: part == .whole ? job.arguments : job.arguments.map(take)
    case .position(let position):
      {
        let index = position > 0 ? position - 1 : job.arguments.count + position
        return job.arguments.indices.contains(index) ? [take(job.arguments[index])] : []
      }()
    }
  }

  private func take(_ value: Bytes) -> Bytes {
    switch part {
    case .whole: value
    case .withoutExtension: Self.withoutExtension(value)
    case .name: Self.name(of: value)
    case .directory: Self.directory(of: value)
    case .nameWithoutExtension: Self.withoutExtension(Self.name(of: value))
    }
  }

  private static func name(of path: Bytes) -> Bytes {
    path.lastIndex(of: .slash).map { Bytes(path[($0 + 1)...]) } ?? path
  }

  private static func withoutExtension(_ path: Bytes) -> Bytes {
    guard let dot = path.lastIndex(of: UInt8(ascii: ".")), !path[dot...].contains(.slash) else { return path }
    return Bytes(path[..<dot])
  }

  /// As `dirname`: slashes at the end do not count; without a directory it is `.`.
  private static func directory(of path: Bytes) -> Bytes {
    func trimmed(_ path: Bytes.SubSequence) -> Bytes.SubSequence {
      path.lastIndex { $0 != .slash }.map { path[...$0] } ?? []
    }
    guard let slash = trimmed(path[...]).lastIndex(of: .slash) else {
      return path.first == .slash ? [.slash] : [UInt8(ascii: ".")]
    }
    let directory = trimmed(path[..<slash])
    return directory.isEmpty ? [.slash] : Bytes(directory)
  }
}
#endif
