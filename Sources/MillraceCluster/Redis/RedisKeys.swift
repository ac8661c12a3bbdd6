/// Where a job's things are in a server. All of them have the job in braces: so they are on one node of a Redis cluster.
package struct RedisKeys: Sendable {
  package let job: String

  package init(job: String) { self.job = job }

  private func key(_ name: String) -> String { "millrace:{\(job)}:\(name)" }

  /// Behind an agent's name: who has what the agent has ahead.
  static let ahead = "+"
  /// Which driver has the job.
  var epoch: String { key("epoch") }
  /// The stream of work. The id of an entry is the work's own.
  var work: String { key("in") }
  /// The stream of results.
  var results: String { key("out") }
  var manifest: String { key("manifest") }
  var phase: String { key("phase") }
  /// There while the driver is.
  var driver: String { key("driver") }
  var workers: String { key("workers") }
  var members: String { key("members") }
  /// How many results each agent has brought.
  var counts: String { key("counts") }
  /// How many results of each came too late.
  var late: String { key("late") }
  /// How often items were begun of work that somebody was lost with.
  var starts: String { key("starts") }
  /// Agents that are to finish what they have, and end. They stay there when they have: their driver is to know why.
  var drains: String { key("drains") }
  /// What a run is of, and which of its items were delivered.
  func run(_ name: String) -> String { key("run:\(name)") }
  func delivered(_ run: String) -> String { key("run:\(run):delivered") }
  /// There within a script.
  func scratch(_ run: String) -> String { key("run:\(run):scratch") }
  /// There while the agent is.
  func alive(_ agent: String) -> String { key("alive:\(agent)") }
  /// What is too large for a stream: work of one driver, by its epoch, or a result of one agent. Others that have the same number have a
  /// place of their own, so that nobody writes or removes what is not his.
  func large(_ id: UInt64, of owner: String, isResult: Bool) -> String {
    key("\(isResult ? "result" : "work"):\(id):\(owner)")
  }
  /// There for a moment after somebody has looked for work that nobody has any more, and found none.
  var looked: String { key("looked") }

  /// How often the driver has said that it lives. A server that knows less of it than the driver has gone back to what it had written down.
  var beats: String { key("beats") }

  /// Those that stay until the job is over, but for `epoch`, `phase`, `driver` and `beats`.
  var lasting: [String] { [work, results, manifest, workers, members, counts, late, starts, drains] }

  /// All there are, as a pattern: a job's name has nothing in it that means something there.
  var pattern: String { key("*") }

  static let group = "agents"

  /// How long what nobody looks after stays, in milliseconds.
  static let life = 600_000
}
