import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Follows the log of a server while it is written, counts the requests and the errors of each second of it, and writes them into a file.
/// Lines that are no requests go into another, through a side channel.
///
/// A task plays the server: it writes one line after another, and begins a new file half-way, as log rotation does.
@main
struct LogDigest {
  static let seconds = 20
  static let perSecond = 50
  static let comment = "# a new second"

  static func main() async throws {
    guard let folder = CommandLine.arguments.dropFirst().first else {
      print("usage: LogDigest FOLDER")
      exit(64)
    }
    let (log, digest, rest) = ("\(folder)/access.log", "\(folder)/digest.txt", "\(folder)/rest.txt")
    let server = Task { try await write(log, digest) }

    let others = SideChannel<String>("others") { Write(rest) }
    let pipeline: Pipeline<Nothing, String> = Pipeline {
      Read(log, follow: true)
      Parse(others: others)
      // Of each second, once the next one begins.
      BySecond()
      // The last second has no next one.
      Take(seconds - 1)
      Map { (second: Second) in "\(second.time) \(second.requests) requests, \(second.errors) errors" }
      Write(digest)
    }
    try await pipeline.using(others).run()
    try await server.value

    let lines = try await Pipeline { Read(digest) }.list()
    let expected = (0..<seconds - 1).map { "\($0) \(perSecond) requests, \(perSecond / 10) errors" }
    guard lines == expected else {
      print("LogDigest: the digest is wrong:", lines)
      exit(1)
    }
    // Each second begins with one.
    let left = try await Pipeline { Read(rest) }.list()
    guard left == Array(repeating: comment, count: seconds) else {
      print("LogDigest: what is no request is wrong:", left)
      exit(1)
    }
    print("\(lines.count) seconds of the log, \(perSecond) requests each, the same as were made")
  }

  static func write(_ log: String, _ digest: String) async throws {
    for second in 0..<seconds {
      if second == seconds / 2 {
        // Not before it is read: then there is a digest of its first second.
        try await Pipeline { Read(digest, follow: true) }.take(1).run()
        rename(log, log + ".1")
      }
      let lines = (0..<perSecond).map { number in "\(second) GET /\(number) \(number % 10 == 0 ? 500 : 200)" }
      try await Pipeline { Items([comment] + lines) }.write(to: log, .append).run()
    }
  }
}

/// A line of the log.
struct Request: Codable {
  var time: Int
  var status: Int

  init?(_ line: String) {
    let words = line.split(separator: " ")
    guard words.count == 4, let time = Int(words[0]), let status = Int(words[3]) else { return nil }
    (self.time, self.status) = (time, status)
  }
}

/// Makes requests of lines; what is none goes to the side.
struct Parse: Stage {
  let others: SideChannel<String>

  func process(_ line: String, state: inout Void, _ out: Outlet<Request>) async throws {
    if let request = Request(line) { try await out.put(request) } else { try await others.put(line) }
  }
}

struct Second: Codable {
  var time: Int
  var requests = 0
  var errors = 0
}

/// Adds up requests as long as they are of the same second.
struct BySecond: Stage, Codable {
  func setUp(_ context: StageContext, _ out: Outlet<Second>) -> Second? { nil }

  func process(_ request: Request, state second: inout Second?, _ out: Outlet<Second>) async throws {
    if let whole = second, whole.time != request.time {
      try await out.put(whole)
      second = nil
    }
    var sum = second ?? Second(time: request.time)
    sum.requests += 1
    if request.status >= 500 { sum.errors += 1 }
    second = sum
  }

  func tearDown(_ second: consuming Second?, _ out: Outlet<Second>) async throws {
    if let second { try await out.put(second) }
  }
}
