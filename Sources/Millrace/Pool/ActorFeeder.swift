import MillraceIPC

/// Reads a sequence that runs code of an actor, in a task on that actor.
///
/// It is mostly the consumer's, who awaits outcomes and so leaves it free. What else the actor has to do gets its turn at least after
/// each millisecond, as far as the sequence comes out of `next()`.
///
/// It is inside the input between two awaits only. So whoever leaves a loop on the actor never has to wait for it.
final class ActorFeeder<Input: Sendable>: Feeding {
  private let pull: IsolatedPull<Input>
  private let inbox: Inbox<Input>
  private let report: @Sendable (Reading) -> Void
  private let gate = ReaderGate()
  private let bell = TaskBell()

  /// How long the actor is held, in nanoseconds.
  private static var turn: UInt64 { 1_000_000 }

  init(_ pull: IsolatedPull<Input>, into inbox: Inbox<Input>, report: @escaping @Sendable (Reading) -> Void) {
    self.pull = pull
    self.inbox = inbox
    self.report = report
  }

  func read(_ count: Int) {
    guard gate.ask(count) else { return bell.ring() }
    Task(executorPreference: LaneThread.ofFork) { await self.run(on: self.pull.actor) }
  }

  func collect() -> Batch? { inbox.takeOrCall() }
  func collectRest() -> Batch? { inbox.takeRest() }

  func end() {
    inbox.leave()
    gate.end()
    bell.ring()
  }

  func waitUntilOut() async { await gate.waitUntilOut(orCall: {}) }
  func blockUntilOut() { gate.blockUntilOut(orCall: {}) }

  private func run(on actor: isolated any Actor) async {
    // How many items are read in about a quarter of a turn.
    var part = 1
    var turnBegan = _monotonicNow()
    while true {
      switch gate.enter() {
      case .read(let count): await serve(count, &part, &turnBegan, on: actor)
      case .end: return
      case .wait:
        await bell.waitForRing()
        turnBegan = _monotonicNow()
      }
    }
  }

  /// Reads what was asked for, in parts.
  private func serve(_ count: Int, _ part: inout Int, _ turnBegan: inout UInt64, on actor: isolated any Actor) async {
    var left = count
    while true {
      let size = min(part, left)
      left -= size
      inbox.begin(size)
      let began = _monotonicNow()
      var reading = Reading.goesOn
      while reading.goesOn {
        reading = pull.read(into: inbox, on: actor)
        if case .complete = reading, left > 0 {
          report(.goesOn)
          break
        }
        report(reading)
        guard reading.goesOn, await mayGoOn(&turnBegan, on: actor) else { return gate.leave() }
      }
      let time = _monotonicNow() &- began
      if time < Self.turn / 8 { part = min(2 * part, 65_536) }
      if time > Self.turn / 2 { part = max(1, part / 2) }
      guard await mayGoOn(&turnBegan, on: actor) else { return gate.leave() }
    }
  }

  /// Lets others have the actor, when it is time; whether somebody still wants items.
  private func mayGoOn(_ turnBegan: inout UInt64, on actor: isolated any Actor) async -> Bool {
    if inbox.isLeft { return false }
    guard _monotonicNow() &- turnBegan > Self.turn else { return true }
    gate.leave()
    await Task.yield()
    turnBegan = _monotonicNow()
    return gate.enterAgain()
  }
}
