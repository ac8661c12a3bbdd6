/// What an agent has to know to find its job. It has the queue's password in it: it goes by standard input, or by a file that nobody
/// else may read, and never on a command line.
package struct AgentSettings: Sendable, Equatable {
  /// The environment variable that makes a program an agent, before its `main`: `stdin`, `@` and the name of a file, or a URL with
  /// `?job=` and `&slots=`.
  package static let variable = "MILLRACE_AGENT"

  package var url = ""
  package var tls = RedisTLS()
  package var job = ""
  /// What the agent is called; empty: it gives itself a name.
  package var name = ""
  package var slots = 1
  package var leaseMilliseconds = 30_000
  /// Whether it ends when its standard input does.
  package var isTethered = false

  /// What is said to agents alone, by name.
  static let names = ["url", "job", "slots", "lease", "tether", "name"]

  package init() {}

  package init(url: String, job: String) { (self.url, self.job) = (url, job) }

  package init(_ address: RedisAddress, job: String) { (url, tls, self.job) = (address.url, address.tls, job) }

  /// Where the queue is.
  package func address() throws(EngineError) -> RedisAddress { try Self.address(url, tls) }

  /// Where the queue is, by what a file of settings says.
  package static func address(_ fields: Fields) throws(EngineError) -> RedisAddress {
    try address(fields["url"] ?? "", RedisTLS(fields))
  }

  private static func address(_ url: String, _ tls: RedisTLS) throws(EngineError) -> RedisAddress {
    var address = try RedisAddress(url)
    // The URL may have them as well.
    if tls != RedisTLS() { address.tls = tls }
    guard address.isSecure || address.tls == RedisTLS() else {
      throw .address("rediss://…, where ca or verify is said")
    }
    return address
  }

  /// As lines, of which an empty one is the last.
  package var text: String {
    Fields(
      [
        ("url", url), ("job", job), ("slots", "\(slots)"), ("lease", "\(leaseMilliseconds)"),
        ("tether", isTethered ? "1" : "0"),
      ] + (name.isEmpty ? [] : [("name", name)]) + tls.fields
    ).text + "\n\n"
  }

  package init(text: String) throws(EngineError) {
    let fields = Fields(text)
    let names = Self.names + RedisTLS.names
    if let unknown = fields.names.first(where: { !names.contains($0) }) {
      throw .misused("an agent has no setting \(unknown); there are \(names.joined(separator: ", "))")
    }
    url = fields["url"] ?? ""
    job = fields["job"] ?? ""
    slots = try Self.number("slots", fields["slots"], 1...4_096) ?? 1
    leaseMilliseconds = try Self.number("lease", fields["lease"], 100...86_400_000) ?? 30_000
    isTethered = fields["tether"] == "1"
    name = fields["name"] ?? ""
    guard name.isEmpty || Self.isName(name) else { throw .misused("\(name) cannot be the name of an agent") }
    tls = try RedisTLS(fields)
    guard !url.isEmpty, !job.isEmpty else { throw .misused("settings of an agent without url or job") }
    guard Self.isName(job) else {
      throw .misused("\(job) cannot be the name of a job: letters, digits, '-', '_' and '.'")
    }
  }

  /// `redis://host/0?job=name&slots=4`; with TLS, `rediss://host/0?ca=/path/to/ca.pem&job=name`.
  package init(url text: String) throws(EngineError) {
    let parts = text.split(separator: "?", maxSplits: 1)
    let words = parts.count == 2 ? parts[1].split(separator: "&").joined(separator: "\n") : ""
    try self.init(text: "url=\(parts.first ?? "")\n\(words)")
  }

  /// Whether a job, or a run, may be called that: the queue's keys have it in them.
  package static func isName(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  private static func number(_ name: String, _ text: String?, _ allowed: ClosedRange<Int>) throws(EngineError) -> Int? {
    guard let text else { return nil }
    guard let number = Int(text), allowed.contains(number) else {
      throw .misused("\(name)=\(text): \(allowed.lowerBound) to \(allowed.upperBound)")
    }
    return number
  }
}
