import Foundation
import Millrace
import MillraceIPC

/// What goes over a worker's control socket: its introduction, news, and in the rings the announcement of a worker; and frames that come
/// as bytes.
struct ControlTarget: FuzzTarget {
  let name = "control"

  /// A worker with a configuration.
  struct Configured: StatelessWorker, Codable {
    var text: String
    var numbers: [Int]
    func process(_ item: Int) -> Int { item }
  }

  private let probes = Probes(all: [Introduction(), News(), Announcement(), Framed()])

  func valid(_ random: inout FuzzRandom) throws -> [[UInt8]] { try probes.valid(&random) }

  func read(_ bytes: [UInt8]) throws { try probes.read(bytes) }

  private struct Introduction: Probe {
    func valid(_ random: inout FuzzRandom) throws -> [UInt8] {
      guard let introduction = WorkerIntroduction(WorkerProcessMain.self) else { throw Refusal() }
      return introduction.bytes
    }

    func read(_ bytes: UnsafeRawBufferPointer) throws {
      guard let introduction = WorkerIntroduction(bytes: Array(bytes)) else { throw Refusal() }
      try promise(introduction.bytes == Array(bytes), "an introduction is encoded in another way")
      // A worker looks no further where the build is another one.
      guard introduction.fingerprint == .current else { throw Refusal() }
      guard introduction.main.resolve() is any WorkerMain.Type else { throw Refusal() }
    }
  }

  private struct News: Probe {
    func valid(_ random: inout FuzzRandom) throws -> [UInt8] {
      let news: ControlNews =
        switch random.below(10) {
        case 0: .configure(environment: ["PATH": random.chance(70) ? random.text(upTo: 40) : nil])
        case 1: .lane(number: random.below(9), slot: random.below(99), cpus: [0, 1, Int32(random.below(64))])
        case 3: .logging(label: random.text(upTo: 30), level: random.chance(50) ? "info" : random.text(upTo: 9))
        case 2: .segment(lane: random.below(9), id: UInt32(truncatingIfNeeded: random.next()))
        case 4: .shared((0..<random.below(4)).map { _ in Self.token(&random) })
        case 5: .forget((0..<random.below(9)).map { _ in SharedID(high: random.next(), low: random.next()) })
        case 6: .made(lane: random.below(9), chunk: random.next() >> 8, Self.token(&random))
        case 7: Self.cancel(&random)
        case 8: .elsewhere(bytes: random.below(1 << 30))
        default: .end
        }
      return news.bytes
    }

    private static func cancel(_ random: inout FuzzRandom) -> ControlNews {
      let first = random.next() >> 1
      return .cancel(lane: random.below(9), first...first + UInt64(random.below(9)))
    }

    private static func token(_ random: inout FuzzRandom) -> SharedToken {
      let forms: [SharedToken.Form] = [.memory, .constant, .file]
      return SharedToken(
        id: SharedID(high: random.next(), low: random.next()), form: forms[random.below(3)], signature: random.next(),
        size: random.below(1 << 20), offset: random.chance(50) ? 0 : random.below(1 << 20))
    }

    func read(_ bytes: UnsafeRawBufferPointer) throws {
      let news = try ControlNews(bytes: Array(bytes))
      let again = try promised("what was decoded") { try ControlNews(bytes: news.bytes) }
      try promise(again == news, "news comes back as another one")
    }
  }

  private struct Announcement: Probe {
    func valid(_ random: inout FuzzRandom) throws -> [UInt8] {
      try TypedRemoteWorker(Configured(text: random.text(upTo: 30), numbers: [random.number()])).announcement()
    }

    func read(_ bytes: UnsafeRawBufferPointer) throws { _ = try announcedWorker(bytes) }
  }

  private struct Framed: Probe {
    func valid(_ random: inout FuzzRandom) throws -> [UInt8] {
      let header = FrameHeader(
        kind: UInt16(random.below(20)), flags: UInt16(random.below(256)), a: UInt32(random.below(1_000)),
        b: random.next(), c: random.next())
      return RemoteFrame(header, Array(random.text(upTo: 50).utf8)).bytes
    }

    func read(_ bytes: UnsafeRawBufferPointer) throws {
      try promise(try RemoteFrame(bytes: bytes).bytes == Array(bytes), "a frame comes back as another one")
    }
  }
}

/// What the fork server tells, with the descriptors that come beside it.
struct ServerTarget: FuzzTarget {
  let name = "server"

  func valid(_ random: inout FuzzRandom) -> [[UInt8]] {
    let kind = UInt64(2 + random.below(3))
    let pid = UInt64(random.below(30_000))
    return [
      littleEndian(kind == 2 ? 1 : 0), littleEndian(kind | pid << 32, UInt64(random.below(40_000))),
      littleEndian(random.next()), littleEndian(UInt64(random.below(1 << 20))),
    ]
  }

  /// The first word says how many descriptors come with the rest.
  func read(_ bytes: [UInt8]) throws {
    let pair = try ControlSocket.Pair()
    var reader = WordReader(bytes)
    let count = Int(reader.word() % 17)
    let descriptors = [Int32](repeating: pair.worker.rawValue, count: count)
    try pair.worker.send(Array(reader.rest), descriptors: descriptors)
    guard case .message(var message) = try pair.parent.tryReceive() else { throw FuzzProblem("a message was lost") }
    try promise(message.descriptorCount == count, "\(message.descriptorCount) descriptors came instead of \(count)")
    guard let event = ForkServer.event(&message) else { throw Refusal() }
    _ = "\(event)"
  }
}
