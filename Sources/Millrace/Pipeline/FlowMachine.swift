/// What moves between the stations of a pipeline, as a pure state machine: who is fed how much, whose window has room again, when
/// ends travel, and what becomes of it when a stage stops, a station fails, the run is cancelled, or an edge is too narrow.
///
/// ```
///   station ──edge──▶ station ──edge──▶ consumer
///           ──edge──▶ station ──┘                 a fork: each edge carries everything
/// ```
///
/// It moves counts, never values: what a station makes lies in its edges until every reader has taken it. Events are method
/// calls; what is to be done comes out in `actions`. It has no thread and no clock. Stations are added in the order of the data:
/// each after those that it reads from.
package struct FlowMachine {
  package enum Action: Hashable, Sendable {
    /// Hand so many items of each of the station's input edges to its job; `ended`: they are the last.
    case feed(station: Int, count: Int, ended: Bool)
    /// Hand so many items of one of the station's input edges to it, as they come.
    case take(edge: Int, count: Int)
    /// So many items that the station has made, the oldest, go into this one of its edges.
    case send(edge: Int, count: Int)
    /// All readers have taken so many items of the station's: its window has room for as many.
    case room(station: Int, count: Int)
    /// Hand so many items to the output's consumer.
    case deliver(output: Int, count: Int)
    /// So many items, the oldest that it has not taken, go nowhere: the edge's reader wants no more.
    case drop(edge: Int, count: Int)
    /// Nobody wants more of the station: it is to end, and say so with `ended`.
    case cancel(station: Int)
    case widen(edge: Int, to: Int, because: String)
    /// It cannot go on, and the edge cannot be widened any more.
    case standstill(edge: Int, because: String)
    /// It cannot go on before somebody begins to take of this output, whose edge cannot be widened any more.
    case unattended(output: Int)
    /// The consumer of the output gets no more.
    case end(output: Int)
    /// All stations have ended.
    case finished
  }

  /// How a station takes from several edges.
  package enum Intake: Hashable, Sendable {
    /// From each at once, as many as belong together.
    case together
    /// From each as it comes.
    case asItComes
    /// From each in turn, as a station before it has dealt items into its edges.
    case asDealt
  }

  /// Items that a station has given to one of the edges behind it, of which nothing has come out behind the branch yet.
  struct Dealt {
    let edge: Int
    var count: Int
  }

  /// Which of the edges behind a station its items go into.
  package enum Sending: Hashable, Sendable {
    case all
    /// Each into one of them, one that has room.
    case one
  }

  struct Edge {
    let from: Int
    /// Nil: the consumer of an output.
    let to: Int?
    /// How many items may wait in it.
    var room: Int
    /// How many of its items belong together with those of the reader's other edges.
    let share: Int
    var waiting = 0
    /// How many its reader has taken, or will never.
    var taken = 0
    /// Its writer puts nothing more in.
    var hasEnded = false
    /// Its reader wants nothing more.
    var isClosed = false
  }

  struct Station {
    let name: String
    let intake: Intake
    let sending: Sending
    var inputs: [Int] = []
    var outputs: [Int] = []
    /// Where what it deals comes together again.
    var collector: Int?
    /// What has been dealt to the branches before it, in order, by its own edges.
    var dealt = FIFO<Dealt>()
    /// Of each edge into which is dealt, the one by which what becomes of that comes here.
    var lanes: [Int: Int] = [:]
    /// What its job has asked for and not got.
    var demand = 0
    /// What it was fed and has not answered.
    var running = 0
    /// What it has made and its edges have no room for: of several the fullest decides.
    var held = 0
    /// How many items of its have been taken by all readers.
    var released = 0
    var hasBeenFedTheEnd = false
    var isCancelled = false
    var hasEnded = false

    var isSource: Bool { inputs.isEmpty }
  }

  struct Output {
    let edge: Int
    /// Somebody takes of it. Until then its edge is widened, if nothing else can go on.
    var hasBegun: Bool
    var wanted = 0
    var hasEnded = false
    /// It was said that nobody takes of it, though all waits for that.
    var isSaidToWait = false
  }

  var stations: [Station] = []
  var edges: [Edge] = []
  var outputs: [Output] = []
  /// It was cancelled, or a station has failed: nothing is delivered any more.
  var isGivenUp = false
  var hasFinished = false
  /// How wide an edge may become.
  let maximumRoom: Int
  static var maximumRoom: Int { 65_536 }
  package var actions: [Action] = []

  package init(maximumRoom: Int? = nil) { self.maximumRoom = maximumRoom ?? Self.maximumRoom }

  package mutating func takeActions() -> [Action] {
    defer { actions = [] }
    return actions
  }

  /// Whether it has a place to which items of several stations come as they come.
  package var hasMerges: Bool { stations.contains { $0.intake == .asItComes && $0.inputs.count > 1 } }

  /// How many items wait in an edge; those of outputs are numbered with the others, as they were made.
  package func waiting(in edge: Int) -> Int { edges[edge].waiting }

  /// Whether it was told to end, for nobody wants more of it.
  package func isCancelled(_ station: Int) -> Bool { stations[station].isCancelled }

  // MARK: The graph

  package mutating func addStation(_ name: String, takes intake: Intake = .together, gives sending: Sending = .all)
    -> Int
  {
    stations.append(Station(name: name, intake: intake, sending: sending))
    return stations.count - 1
  }

  /// How many items a station was fed and has not answered.
  package func running(at station: Int) -> Int { stations[station].running }

  /// How many items a station has made for which its edges have no room yet.
  package func held(by station: Int) -> Int { stations[station].held }

  /// Adds an edge in which so many items may wait, `share` of which belong together with those of the reader's other edges.
  package mutating func connect(_ from: Int, to: Int, room: Int, share: Int = 1) {
    precondition(from < to, "stations are added in the order of the data")
    edges.append(Edge(from: from, to: to, room: max(room, share), share: share))
    stations[from].outputs.append(edges.count - 1)
    stations[to].inputs.append(edges.count - 1)
  }

  /// The station, all of whose inputs come from where another deals to, takes what comes in the order in which that was dealt: what comes
  /// of this edge of the other by this one of its own, each item as so many as the edge's share.
  package mutating func collect(at station: Int, what dealer: Int, deals lanes: [(dealt: Int, input: Int)]) {
    stations[dealer].collector = station
    for lane in lanes { stations[station].lanes[lane.dealt] = lane.input }
  }

  /// Adds an output, of which a consumer takes.
  ///
  /// - Parameter hasBegun: whether somebody takes of it from the beginning.
  package mutating func addOutput(_ from: Int, room: Int, hasBegun: Bool = true) -> Int {
    edges.append(Edge(from: from, to: nil, room: room, share: 1))
    stations[from].outputs.append(edges.count - 1)
    outputs.append(Output(edge: edges.count - 1, hasBegun: hasBegun))
    return outputs.count - 1
  }

  /// How many items the consumer of an output has asked for and not got.
  package func wanted(of output: Int) -> Int { outputs[output].wanted }

  /// Whether the consumer of an output gets no more.
  package func hasEnded(output: Int) -> Bool { outputs[output].hasEnded }

  /// Whether all still waits for somebody to take of an output.
  package func isUnattended(output: Int) -> Bool { !outputs[output].hasBegun && !outputs[output].hasEnded }

  // MARK: Events

  /// The station's job could take so many more items.
  package mutating func demanded(_ station: Int, _ count: Int) {
    stations[station].demand += count
    advance()
  }

  /// The station has made `made` items of `used`; a source, and a tear-down, use none.
  package mutating func produced(_ station: Int, used: Int, made: Int) {
    stations[station].running -= used
    if !isGivenUp { stations[station].held += made }
    advance()
  }

  /// The station will make no more: its job is over, and torn down.
  package mutating func ended(_ station: Int) {
    stations[station].hasEnded = true
    advance()
  }

  /// A stage of the station wants no more input. What it has made is kept, and what feeds only it is cancelled.
  package mutating func stopAsked(_ station: Int) {
    guard !stations[station].hasBeenFedTheEnd, !stations[station].hasEnded else { return }
    if stations[station].isSource {
      cancel(station)
    } else {
      feedTheEnd(station, 0)
    }
    advance()
  }

  /// A station has failed, as far as the run is concerned: everything is given up.
  package mutating func failed(_ station: Int) {
    stations[station].hasEnded = true
    cancelled()
  }

  /// The run is cancelled: every station is told to end.
  package mutating func cancelled() {
    isGivenUp = true
    for edge in edges.indices { close(edge) }
    for station in stations.indices {
      stations[station].held = 0
      cancel(station)
    }
    advance()
  }

  /// The consumer of an output could take so many more items.
  package mutating func wanted(_ output: Int, _ count: Int) {
    outputs[output].hasBegun = true
    outputs[output].wanted += count
    advance()
  }

  /// The consumer of an output takes no more.
  package mutating func left(_ output: Int) {
    guard !outputs[output].hasEnded else { return }
    outputs[output].hasEnded = true
    close(outputs[output].edge)
    advance()
  }
}
