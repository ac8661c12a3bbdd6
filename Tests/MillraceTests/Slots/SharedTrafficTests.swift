import Foundation
import MillraceIPC
import MillraceTesting
import Testing

@testable import Millrace

#if os(Linux)
import Glibc

@_silgen_name("capset")
private func setCapabilities(_ header: UnsafeMutableRawPointer, _ data: UnsafeRawPointer) -> Int32

/// Shared objects on their way to a worker process, where the system has no room for them.
@Suite(.serialized, .leakChecked, .timeLimit(.minutes(1)))
struct SharedTrafficTests {
  /// Takes all that has come.
  private func news(_ worker: borrowing ControlSocket) throws -> [ControlNews] {
    var all: [ControlNews] = []
    while case .message(let message) = try worker.tryReceive() {
      if let news = try? ControlNews(bytes: message.bytes) { all.append(news) }
    }
    return all
  }

  /// Sends what is no news until there is no room for any more.
  private func fill(_ line: ControlLine) throws {
    while try line.socket.trySend([UInt8](repeating: 0, count: 4_096)) {}
    while try line.socket.trySend([0]) {}
  }

  @Test("EAGAIN: what finds no room goes later, in its order, and each object once")
  func full() throws {
    let pair = try ControlSocket.Pair()
    let worker = pair.worker
    let line = ControlLine(pair.parent)
    let traffic = SharedTraffic(line)
    let first = try SharedBlock(signature: 1, size: 8)
    try fill(line)
    #expect(try traffic.send([first]) == .full)
    #expect(!traffic.isCrowded)
    #expect(try news(worker) == [])
    #expect(try traffic.send([first]) == .sent && traffic.send([first]) == .sent)
    #expect(try news(worker) == [.shared([first.token])])

    // The last of an object goes while there is no room: it is forgotten before the next comes.
    var second: SharedBlock? = try SharedBlock(signature: 1, size: 8)
    let token = second!.token
    #expect(try traffic.send([second!]) == .sent)
    _ = try news(worker)
    try fill(line)
    second = nil
    #expect(try news(worker) == [])
    let third = try SharedBlock(signature: 1, size: 8)
    #expect(try traffic.send([third]) == .sent)
    #expect(try news(worker) == [.forget([token.id]), .shared([third.token])])
  }

  @Test("ETOOMANYREFS: where too many descriptors are on their way, what is sent waits, and goes later")
  func crowded() throws {
    let done = Bell()
    let problem = Lock<(any Error)?>(nil)
    try startThread("crowded") {
      defer { done.ring() }
      do { try withFewDescriptors { try self.crowd() } } catch { problem.withLock { $0 = error } }
    }
    done.waitForWork()
    if let error = problem.withLock({ $0 }) { throw error }
  }

  /// On a thread without privileges, which are not held to the limit.
  private func crowd() throws {
    let other = try ControlSocket.Pair()
    let pair = try ControlSocket.Pair()
    let worker = pair.worker
    let traffic = SharedTraffic(ControlLine(pair.parent))
    let block = try SharedBlock(signature: 1, size: 8)
    let many = [Int32](repeating: try block.descriptorToSend(), count: ControlSocket.maximumDescriptors)
    var error: SystemCallError?
    while error == nil {
      do throws(SystemCallError) {
        guard try other.parent.trySend([0], descriptors: many) else { break }
      } catch let refusal {
        error = refusal
      }
    }
    #expect(error?.code == ETOOMANYREFS)
    #expect(try traffic.send([block]) == .crowded && traffic.isCrowded)
    #expect(try news(worker) == [])
    _ = try news(other.worker)
    #expect(try traffic.send([block]) == .sent && !traffic.isCrowded)
    #expect(try news(worker) == [.shared([block.token])])
  }
}

/// As many descriptors may be on their way as a process may have open: few, for a moment.
private func withFewDescriptors(_ body: () throws -> Void) throws {
  var header: [UInt32] = [0x2008_0522, 0]
  let none = [UInt32](repeating: 0, count: 6)
  guard setCapabilities(&header, none) == 0 else { throw SystemCallError("capset", errno) }
  let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  var before = rlimit()
  getrlimit(resource, &before)
  var few = rlimit(rlim_cur: min(512, before.rlim_cur), rlim_max: before.rlim_max)
  setrlimit(resource, &few)
  defer { setrlimit(resource, &before) }
  try body()
}
#endif
