import Millrace
import Testing

/// The simulator checks that what is told is so; here is what it looks like.
@Suite("Dispatcher: events")
struct DispatchEventTests {
  @Test("when nobody listens, nothing is told but what the log has to say")
  func nobody() {
    let play = Play(width: 1)
    let job = play.submit(play.worker())
    play.arriveAll(job, 2)
    play.finish(0, 1)
    #expect(play.events.isEmpty)
    play.die(0, running: 2)
    #expect(play.events.count == 1)
    guard case .workerEnded(slot: 0, generation: 1, let departure)? = play.events.first,
      case .died(.crashed) = departure.cause, case .working = departure.activity
    else { return #expect(Bool(false), "\(play.events)") }
    #expect(play.reports.isEmpty)
  }

  @Test("an item's way, and that of its job")
  func way() {
    let play = Play(width: 1)
    play.dispatcher.isObserved = true
    var picture = play.dispatcher.snapshot(now: play.now)
    let job = play.submit(play.worker()) {
      $0.retries = 1
      $0.total = 2
    }
    play.arriveAll(job, 2)
    play.fail(0, 1)
    play.finish(0, 1)
    play.finish(0, 3)
    play.finish(0, 2)
    for event in play.events.dropLast() { picture.apply(event, at: play.now) }
    var totals = JobTotals()
    (totals.read, totals.done, totals.retried) = (2, 2, 1)
    #expect(picture.jobs[job]?.counts == totals)
    #expect(picture.jobs[job]?.hasReadAll == true)
    guard case .jobEnded(job, .complete, totals)? = play.events.last else {
      return #expect(Bool(false), "\(play.events)")
    }
  }

  @Test("members come and go: each is told once, and is in the snapshot while it is there")
  func members() {
    let play = Play(width: 1)
    let (one, two) = (PoolMember(name: "one", host: "here", process: 7, slots: 3), PoolMember(name: "two"))
    // Nobody listens, and yet who asks is told.
    play.step { $0.memberJoined(one, now: $1) }
    #expect(play.events.isEmpty)
    play.dispatcher.isObserved = true
    var picture = play.dispatcher.snapshot(now: play.now)
    #expect(picture.members == ["one": one])
    for member in [two, two, one] { play.step { $0.memberJoined(member, now: $1) } }
    play.step { $0.memberLeft("one", isLost: true, now: $1) }
    for name in ["one", "nobody"] { play.step { $0.memberLeft(name, isLost: false, now: $1) } }
    #expect(play.events.count == 2)
    guard play.events.count == 2, case .memberJoined(two) = play.events[0],
      case .memberLeft(one, isLost: true) = play.events[1]
    else { return #expect(Bool(false), "\(play.events)") }
    for event in play.events { picture.apply(event, at: play.now) }
    #expect(picture.members == ["two": two] && picture == play.dispatcher.snapshot(now: play.now))
    play.step { $0.shutDown(now: $1) }
    for slot in play.generations.keys { play.die(slot, running: nil) }
    #expect(play.dispatcher.snapshot(now: play.now).members.isEmpty)
    play.step { $0.memberJoined(one, now: $1) }
    #expect(play.dispatcher.snapshot(now: play.now).members.isEmpty)
  }

  @Test("a snapshot says what each slot is at, and what each job has")
  func snapshot() {
    let play = Play(width: 2)
    let job = play.submit(play.worker())
    play.arrive(job, 1)
    play.arrive(job, 1)
    play.arrive(job, 1)
    let before = play.dispatcher.snapshot(now: play.now)
    #expect(before.slots.map(\.state) == [.working, .working])
    #expect(before.slots[1].work.map(\.items) == [1..<2])
    #expect(before.slots[1].since == play.now)
    #expect(before.jobs[job]?.running == 2)
    #expect(before.jobs[job]?.queued == 1)
    #expect(before.jobs[job]?.hasReadAll == false)
    play.finish(1, 2)
    play.arrive(job, 0, ended: true)
    let after = play.dispatcher.snapshot(now: play.now)
    #expect(after.slots[1].work.map(\.items) == [2..<3])
    #expect(after.jobs[job]?.counts.done == 1)
    #expect(after.jobs[job]?.total == 3)
  }
}
