#if CLI
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where the values of the jobs come from, and how they are combined: sources multiply, linked sources go side by side.
struct InputSources: Equatable, Sendable {
  enum Source: Equatable, Sendable {
    case values([Bytes])
    case file(Bytes)
    case standardInput
  }

  /// Sources that are read in step: the first and those linked to it.
  typealias Group = [Source]

  var groups: [Group]
  /// Whether a linked source that is shorter than another begins again (`--link`); otherwise the shortest ends all.
  var recycles = false

  init(groups: [Group], recycles: Bool = false) {
    self.groups = groups
    self.recycles = recycles
  }

  /// Takes the words of a command line apart: the command, and what stands after `:::`, `::::`, `:::+` and `::::+`.
  ///
  /// Files of `-a` come first; without any source, lines of standard input are the values.
  /// - Parameter linked: all sources are linked, and recycled.
  static func split(
    _ words: [Bytes], files: [Bytes], linked: Bool = false
  ) -> (command: [Bytes], sources: InputSources) {
    let isMark = { (word: Bytes) in Mark(word: word) != nil }
    let command = words.prefix { !isMark($0) }
    var groups: [Group] = files.map { [file($0)] }
    var rest = words.dropFirst(command.count)
    while let mark = rest.popFirst().flatMap(Mark.init(word:)) {
      let values = rest.prefix { !isMark($0) }
      rest = rest.dropFirst(values.count)
      let sources: [Source] = mark.holdsFiles ? values.map(file) : [.values(Array(values))]
      for source in sources {
        if mark.isLinked, !groups.isEmpty {
          groups[groups.count - 1].append(source)
        } else {
          groups.append([source])
        }
      }
    }
    let isGiven = !files.isEmpty || command.count < words.count
    if !isGiven { groups = [[.standardInput]] }
    if linked { groups = [groups.flatMap(\.self)] }
    return (Array(command), InputSources(groups: groups, recycles: linked))
  }

  /// - Throws: `UsageError` where standard input would have to be read twice: the second reading finds nothing.
  func check() throws {
    guard groups.joined().filter({ $0 == .standardInput }).count > 1 else { return }
    throw UsageError("standard input is named twice, and can be read once only; keep it in a file")
  }

  private static func file(_ name: Bytes) -> Source {
    name == [UInt8(ascii: "-")] ? .standardInput : .file(name)
  }

  private struct Mark {
    var isLinked: Bool
    var holdsFiles: Bool

    init?(word: Bytes) {
      switch String(decoding: word, as: UTF8.self) {
      case ":::": (isLinked, holdsFiles) = (false, false)
      case "::::": (isLinked, holdsFiles) = (false, true)
      case ":::+": (isLinked, holdsFiles) = (true, false)
      case "::::+": (isLinked, holdsFiles) = (true, true)
      default: return nil
      }
    }
  }
}
#endif
