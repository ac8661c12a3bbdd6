/// The queue that a driver and its agents have in common: the driver submits work, agents lease it, and each result counts once.
///
/// What it must keep, whatever carries it, is in the table below; the contract suite tries each line on every engine.
///
/// | call | must |
/// |---|---|
/// | `submit` | be idempotent; one loop submits, in the order of ids |
/// | `lease` | give work with a lease, which others may take when it is over; of what two have had before, one piece at most |
/// | `renew` | be refused for what is no longer mine, and name what is mine and was not spoken of |
/// | `started` | count who was lost with an item: whoever had the work first, unless that had it ahead, then each who began it, unless it was given back; once, however often it is asked |
/// | `complete` | be fenced: false if another finished first, and nothing of what that one has brought is touched |
/// | `release` | give back at once what was not brought to an end: nobody was lost with it |
/// | `results`, `settle` | each id at most once; what the driver has taken is forgotten |
/// | `missing` | say what is outstanding here and nowhere there |
/// | `members` | say who has joined, and who is not heard of any more |
/// | `resume`, `delivered` | keep which items of a run were delivered, beyond the end of a driver, and fence drivers off as all else does |
/// | `drain` | reach these agents with their next beat, and no others; those that are not there are not waited for |
/// | `clean` | leave nothing of a job whose driver is gone, and all of one whose driver is there |
/// | `cancel`, `change`, `finish` | reach agents with their next beat; nothing is left of the job |
///
/// A second driver that opens the job fences the first off, whatever the queue has forgotten meanwhile: its calls throw
/// ``EngineError/fenced(_:)``, and change nothing. Every call may throw
/// ``EngineError/unreachable(_:)`` when its patience is over, and may be made again.
package protocol WorkEngine: AnyObject, Sendable {
  /// How long a lease holds, and how long somebody is believed alive who is not heard of.
  var lease: Duration { get }

  // MARK: The driver

  /// Takes the job over, or, having it, finds its place again in a queue that has forgotten it.
  ///
  /// - Returns: the last id that the queue knows.
  func open(_ manifest: [UInt8]) async throws -> UInt64
  /// Says what a worker is, before work for it is submitted.
  func announce(_ worker: Int, _ announcement: [UInt8]) async throws
  func submit(_ work: [Work]) async throws
  /// The next results; waits for one, in bounds.
  func results(upTo count: Int, within wait: Duration) async throws -> [WorkResult]
  /// What `results` has given is not needed any more.
  func settle() async throws
  /// Which of these are neither queued, nor leased, nor among the results.
  func missing(of ids: [UInt64]) async throws -> [UInt64]
  func members() async throws -> [Member]
  /// Agents that were told to end, those that have done so among them.
  func drained() async throws -> Set<String>
  func cancel(_ ids: [UInt64]) async throws
  /// Says that the driver lives, and what agents are to do. Throws ``EngineError/lost`` if the queue has gone back to what it had before it was told
  /// the last time.
  func change(to phase: JobPhase) async throws
  /// Begins a run of this name, or goes on with it.
  ///
  /// - Parameters:
  ///   - head: what the run is of.
  ///   - known: which items this driver has delivered of it, a bit each, the first of a byte its highest: for a queue that has forgotten
  ///     them, or some.
  /// - Returns: what the run was begun with, and which of its items were delivered.
  func resume(_ run: String, _ head: [UInt8], delivered known: [UInt8]) async throws -> (
    head: [UInt8], delivered: [UInt8]
  )
  /// The consumer has these items of the run. Throws ``EngineError/lost`` if the queue does not know the run.
  func delivered(_ indices: [Int], of run: String) async throws
  /// Nobody will go on with the run.
  func forget(_ run: String) async throws
  /// The job is over: nothing of it stays, but the word that it is, and runs that may go on.
  func finish() async throws

  // MARK: An agent

  /// What the driver said of itself; nil while there is no such job.
  func manifest() async throws -> [UInt8]?
  func join(_ member: Member) async throws
  func announcement(of worker: Int) async throws -> [UInt8]?
  /// Work for this agent, at most so much; waits for it, in bounds. What others have let go of is among it only where `count` is above 0.
  ///
  /// - Parameters:
  ///   - ahead: so much more, which waits at the agent until there is a slot for it: if the agent is lost, that was hardly for this.
  ///   - takesSuspect: whether one piece may be among it that two others have had before (``Lease/isSuspect``), and never more.
  func lease(
    upTo count: Int, ahead: Int, takesSuspect: Bool, for agent: String, within wait: Duration
  ) async throws -> [Lease]
  /// An item is about to begin of work that somebody else has had and not brought to an end. Those before it have come to theirs: they
  /// had nothing to do with what became of whoever had them. Who was lost that had this one.
  ///
  /// - Parameter title: what the agent is called, if it is lost.
  func started(_ id: UInt64, item: Int, by agent: String, called title: String) async throws -> Losses
  /// The agent lives, and has these; which of them are not its own any more.
  func renew(_ ids: [UInt64], for agent: String) async throws -> Renewal
  /// Brings results, and says of each whether it is the one that counts. If it throws, some may be there.
  func complete(_ results: [(id: UInt64, bytes: [UInt8])], by agent: String) async throws -> [Bool]
  func release(_ ids: [UInt64], by agent: String) async throws
  func leave(_ agent: String) async throws

  // MARK: Whoever looks after it

  /// Tells these agents to finish what they have, and to end; says which of them are there.
  func drain(_ agents: [String]) async throws -> [String]
  /// Removes all of a job that has no driver any more; says how much that was. Throws ``EngineError/live(_:)`` if it has one.
  func clean() async throws -> Int

  // MARK: Both

  /// Ends the waits that are under way, so far as it can.
  func interrupt() async
  /// Lets go of what the engine itself holds: connections, threads.
  func close() async
}

extension WorkEngine {
  package func lease(upTo count: Int, for agent: String, within wait: Duration) async throws -> [Lease] {
    try await lease(upTo: count, ahead: 0, takesSuspect: true, for: agent, within: wait)
  }

  package func complete(_ id: UInt64, _ result: [UInt8], by agent: String) async throws -> Bool {
    try await complete([(id, result)], by: agent)[0]
  }
}

/// A chunk on its way out.
package struct Work: Sendable, Equatable {
  package var id: UInt64
  package var bytes: [UInt8]

  package init(id: UInt64, bytes: [UInt8]) { (self.id, self.bytes) = (id, bytes) }
}

/// A chunk that an agent has, for a while.
package struct Lease: Sendable, Equatable {
  package var work: Work
  /// Whether another had it before, and did not bring it to an end.
  package var isRepeated: Bool
  /// Whether two others had it before. One of those that were lost with it may have been lost for it: an agent has one such at a time, so that
  /// nothing else is suspected that is none.
  package var isSuspect: Bool

  package init(_ work: Work, isRepeated: Bool, isSuspect: Bool = false) {
    (self.work, self.isRepeated, self.isSuspect) = (work, isRepeated, isSuspect)
  }
}

/// Agents that had an item, and are not heard of any more.
package struct Losses: Sendable, Equatable {
  package var count: Int
  /// The last of them, if that is known.
  package var last: String?

  package init(_ count: Int, last: String? = nil) { (self.count, self.last) = (count, last) }
}

package struct WorkResult: Sendable, Equatable {
  package var id: UInt64
  package var agent: String
  package var bytes: [UInt8]

  package init(id: UInt64, agent: String, bytes: [UInt8]) { (self.id, self.agent, self.bytes) = (id, agent, bytes) }
}

/// What an agent is to do.
package enum JobPhase: String, Sendable {
  case running
  /// Take nothing new.
  case draining
  /// It is over.
  case finished
}

package struct Renewal: Sendable, Equatable {
  /// These are others' now, or nobody's.
  package var refused: [UInt64]
  /// Nil: the driver is not heard of.
  package var phase: JobPhase?
  /// Whether the queue knows the agent; not, if it has forgotten everything.
  package var isMember: Bool
  /// What the agent has and did not speak of, some of it at least: it is on its way to it, or the answer to a `lease` was lost.
  package var unspoken: [UInt64]

  package init(refused: [UInt64], phase: JobPhase?, isMember: Bool = true, unspoken: [UInt64] = []) {
    (self.refused, self.phase, self.isMember, self.unspoken) = (refused, phase, isMember, unspoken)
  }
}

package enum EngineError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Another driver has the job.
  case fenced(String)
  /// What the run of this name is of is something else.
  case otherRun(String)
  /// The job has a driver, so that it cannot be removed.
  case live(String)
  /// The queue has forgotten the job, or never knew it: it is to be opened again.
  case lost
  /// Nobody answers, or not in time.
  case unreachable(String)
  /// It was this program's own, has ended, and nobody can bring it back.
  case gone(String)
  /// The queue is there, and nobody works for it.
  case noAgents(String)
  /// What the address of the queue has to be.
  case address(String)
  /// Somebody is there who does not show that it is the queue.
  case untrusted(String)
  /// What this program was told makes no sense: nobody else was asked.
  case misused(String)
  /// It is there, and will not do: a wrong password, a wrong setting.
  case refused(String)

  package var description: String {
    switch self {
    case .fenced(let why): "another driver has taken this job over: \(why)"
    case .otherRun(let why): why
    case .live(let why): "the job is under way: \(why)"
    case .lost: "the queue does not know the job"
    case .unreachable(let why): "the queue cannot be reached: \(why)"
    case .gone(let why): "the queue is gone: \(why)"
    case .noAgents(let why): why
    case .address(let what): "the address of the queue has to be \(what)"
    case .untrusted(let why): "the queue cannot be trusted: \(why)"
    case .misused(let why): why
    case .refused(let why): "the queue refuses: \(why)"
    }
  }
}
