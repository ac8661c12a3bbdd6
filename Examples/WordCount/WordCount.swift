import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Counts the words of the files that it is given, in worker processes, and checks every count against a serial one.
///
/// Prints a count and a name for each file, as `wc -w` does. With `--trap FILE` its workers trap on that file: the
/// file has no count then, and all others have theirs. `--bar` shows how far it is, and `--timeline FILE` writes a picture of what its
/// workers did.
@main
struct WordCount {
  static func main() async throws {
    var worker = CountWords()
    var paths: [String] = []
    // One file that takes long, or whose trap is being written down, does not make the other workers wait.
    var options = MapOptions(window: .itemsPerWorker(1_000))
    var timeline: String?
    var arguments = CommandLine.arguments.dropFirst()
    while let argument = arguments.popFirst() {
      switch argument {
      case "--printable": worker.needsPrintable = true
      case "--trap": worker.fatalFile = arguments.popFirst()
      case "--bar": options.progress = .bar("words", unit: "files")
      case "--timeline": timeline = arguments.popFirst()
      default: paths.append(argument)
      }
    }
    guard !paths.isEmpty, worker.fatalFile.map(paths.contains) ?? true else {
      say("usage: WordCount [--printable] [--trap FILE] [--bar] [--timeline FILE] FILE...")
      say("the file of --trap is one of the files")
      exit(64)
    }

    var counts: [Int?] = Array(repeating: nil, count: paths.count)
    var failures: [ItemFailure] = []
    var picture: String?
    try await withWorkerPool(.processes()) { pool in
      if timeline != nil { pool.recordInsights() }
      for try await outcome in pool.outcomes(of: paths, with: worker, options: options) {
        switch outcome.result {
        case .success(let count):
          counts[outcome.index] = count
          print(count, outcome.input)
        case .failure(let failure):
          failures.append(failure)
        }
      }
      picture = pool.timelineSVG()
    }
    if let timeline, let picture { try save(picture, to: timeline) }

    for failure in failures { say("\(paths[failure.index]): \(failure)") }
    let isRight = try agreesWithSerialCount(counts, paths, worker) && areExpected(failures, paths, worker)
    say("\(counts.count { $0 != nil }) of \(paths.count) files counted, \(failures.count) failed")
    exit(isRight ? 0 : 1)
  }

  /// Counts all files again, here, one after the other.
  private static func agreesWithSerialCount(_ counts: [Int?], _ paths: [String], _ worker: CountWords) throws -> Bool {
    var isRight = true
    var state = [UInt8](repeating: 0, count: 64 << 10)
    for (path, count) in zip(paths, counts) where path != worker.fatalFile {
      let serial = try worker.process(path, state: &state)
      if count != serial {
        say("\(path): \(count.map(String.init) ?? "no count") in a worker, \(serial) here")
        isRight = false
      }
    }
    return isRight
  }

  /// Only the fatal file may fail, and only by a trap.
  private static func areExpected(_ failures: [ItemFailure], _ paths: [String], _ worker: CountWords) -> Bool {
    let failed = failures.map { paths[$0.index] }
    let areTraps = failures.allSatisfy { failure in
      if case .crashed(let crash) = failure.cause { crash.kind == .trap } else { false }
    }
    return areTraps && failed == paths.filter { $0 == worker.fatalFile }
  }

  private static func save(_ text: String, to path: String) throws {
    guard let file = fopen(path, "w") else { throw Unreadable(path: path, code: errno) }
    defer { fclose(file) }
    fputs(text, file)
  }

  private static func say(_ text: String) {
    var line = text + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
