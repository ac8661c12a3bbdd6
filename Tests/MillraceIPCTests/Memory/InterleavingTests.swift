import CMillrace
import Glibc
import MillraceIPC
import Testing

/// Both ends of a lane in one thread: all that they may do, in all orders, against what a plain list says must come of it.
///
/// What happens inside a step is for the thread sanitizer and the tests that run both ends at once.
@Suite struct InterleavingTests {
  enum ParentStep: CaseIterable { case send, revokeFirst, revokeLast, arm, receive }
  enum WorkerStep: CaseIterable { case claim, finish, respond }

  @Test("F69 three steps of each end, in all orders", .timeLimit(.minutes(1)))
  func allOrders() throws {
    let bench = try Bench()
    var schedules = 0
    for parent in words(of: ParentStep.allCases, length: 3) {
      for worker in words(of: WorkerStep.allCases, length: 3) {
        // The places, of six, at which the parent makes its steps.
        for places in UInt8(0)..<64 where places.nonzeroBitCount == 3 {
          var (parents, workers) = (parent[...], worker[...])
          for place in 0..<6 {
            if places >> place & 1 == 1 {
              try bench.step(parents.removeFirst())
            } else {
              try bench.step(workers.removeFirst())
            }
          }
          try bench.drain()
          try #require(bench.problem == nil, "\(parent) and \(worker), \(places): \(bench.problem ?? "")")
          schedules += 1
        }
      }
    }
    #expect(schedules == 125 * 27 * 20)
  }

  private func words<Letter>(of letters: [Letter], length: Int) -> [[Letter]] {
    length == 0 ? [[]] : words(of: letters, length: length - 1).flatMap { word in letters.map { word + [$0] } }
  }
}

/// A lane, and what must be in it.
private final class Bench {
  private enum State { case queued, claimed, revoked }

  private(set) var problem: String?
  private var parent: ParentEnd
  private var worker: WorkerEnd
  private let bell: Int32
  private var frames: [(position: UInt64, number: UInt64, state: State)] = []
  /// The first frame that the worker has not come to.
  private var next = 0
  private var responses: [UInt64] = []
  private var isArmed = false
  private var number: UInt64 = 0

  init() throws {
    let lane = try Lane(ringCapacity: 4096)
    bell = millrace_bell_create()
    parent = ParentEnd(lane)
    worker = WorkerEnd(lane, bell: .event(bell))
  }

  deinit { close(bell) }

  private func expect(_ isRight: Bool, _ what: @autoclosure () -> String) {
    if !isRight, problem == nil { problem = what() }
  }

  func step(_ step: InterleavingTests.ParentStep) throws {
    switch step {
    case .send:
      number += 1
      guard let position = try parent.requests.send(FrameHeader(kind: 1, b: number)) else {
        return expect(false, "there is no room")
      }
      frames.append((position, number, .queued))
    case .revokeFirst: try revoke(frames.startIndex)
    case .revokeLast: try revoke(frames.endIndex - 1)
    case .arm:
      isArmed = responses.isEmpty
      expect(try parent.armResponses() == isArmed, "may sleep: \(!isArmed)")
    case .receive:
      let received = try parent.responses.next()?.header.b
      expect(received == responses.first, "received \(received ?? 0)")
      if !responses.isEmpty { responses.removeFirst() }
    }
  }

  private func revoke(_ index: Int) throws {
    guard frames.indices.contains(index) else { return }
    let isQueued = frames[index].state == .queued
    if isQueued { frames[index].state = .revoked }
    expect(try parent.requests.revoke(at: frames[index].position) == isQueued, "revoked: \(!isQueued)")
  }

  func step(_ step: InterleavingTests.WorkerStep) throws {
    switch step {
    case .claim: _ = try claim()
    case .finish: worker.requests.finish()
    case .respond:
      number += 1
      expect(try worker.responses.send(FrameHeader(kind: 2, b: number)) != nil, "there is no room for a response")
      responses.append(number)
      var poll = pollfd(fd: bell, events: Int16(POLLIN), revents: 0)
      let isRung = Glibc.poll(&poll, 1, 0) == 1
      millrace_bell_clear(bell)
      expect(isRung == isArmed, "rung: \(isRung)")
      isArmed = false
    }
  }

  private func claim() throws -> Bool {
    while next < frames.count, frames[next].state == .revoked { next += 1 }
    let claimed = try worker.requests.nextClaimed()?.header.b
    expect(claimed == (next < frames.count ? frames[next].number : nil), "claimed \(claimed ?? 0)")
    guard next < frames.count else { return false }
    frames[next].state = .claimed
    next += 1
    return true
  }

  /// Everything is taken, and nobody waits.
  func drain() throws {
    while try claim() {}
    while !responses.isEmpty { try step(.receive) }
    try step(.receive)
    parent.disarm()
    isArmed = false
    frames.removeAll(keepingCapacity: true)
    next = 0
  }
}
