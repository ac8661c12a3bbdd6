package import MillraceIPC

/// What goes over a worker process's control socket, besides the introduction; descriptors come with it.
package enum ControlNews: Equatable, Sendable {
  /// To the worker, first.
  case configure(environment: [String: String?])
  /// To the worker, before its lanes: what its loggers are called, and from which level on they speak.
  case logging(label: String, level: String)
  /// To the worker: a lane begins. Descriptors: its memory, the pool's bell.
  case lane(number: Int, slot: Int, cpus: [Int32])
  /// Either way: a segment of a lane. Descriptor: its memory.
  case segment(lane: Int, id: UInt32)
  /// To the worker: nobody wants these chunks of a lane any more, or this set-up (``HostTasks``).
  case cancel(lane: Int, ClosedRange<UInt64>)
  /// To the worker: shared objects that what follows in its lanes names. Descriptors: of each its memory.
  case shared([SharedToken])
  /// To the worker: nobody has these any more, but itself.
  case forget([SharedID])
  /// From the worker: a shared object that is in the outputs of a chunk. Descriptor: its memory.
  case made(lane: Int, chunk: UInt64, SharedToken)
  /// To the worker: other news, too long for a message. Descriptor: its memory.
  case elsewhere(bytes: Int)
  /// To the worker: nothing more comes. It ends when its lanes have.
  case end
}

/// As words of 8 bytes: the kind, then its numbers; texts as records.
///
/// Not with the coder: a process that has just begun would spend more time on finding out how than on all the rest.
extension ControlNews {
  private enum Kind {
    static let configure: UInt64 = 1
    static let lane: UInt64 = 2
    static let segment: UInt64 = 3
    static let end: UInt64 = 4
    static let logging: UInt64 = 5
    static let shared: UInt64 = 6
    static let forget: UInt64 = 7
    static let made: UInt64 = 8
    static let cancel: UInt64 = 9
    static let elsewhere: UInt64 = 10
  }

  package var bytes: [UInt8] {
    var writer = ByteWriter(capacity: 64)
    switch self {
    case .configure(let environment):
      writer.append(Kind.configure)
      for (name, value) in environment {
        Array(name.utf8).withUnsafeBytes { Records.append($0, to: &writer) }
        // A variable that is to be unset.
        Array((value ?? "").utf8).withUnsafeBytes { Records.append($0, isPoison: value == nil, to: &writer) }
      }
    case .logging(let label, let level):
      writer.append(Kind.logging)
      for text in [label, level] { Array(text.utf8).withUnsafeBytes { Records.append($0, to: &writer) } }
    case .lane(let number, let slot, let cpus):
      writer.append(Kind.lane)
      writer.append(Int64(number))
      writer.append(Int64(slot))
      for cpu in cpus { writer.append(Int64(cpu)) }
    case .segment(let lane, let id):
      writer.append(Kind.segment)
      writer.append(Int64(lane))
      writer.append(UInt64(id))
    case .cancel(let lane, let numbers):
      writer.append(Kind.cancel)
      writer.append(Int64(lane))
      writer.append(numbers.lowerBound)
      writer.append(numbers.upperBound)
    case .shared(let tokens):
      writer.append(Kind.shared)
      for word in tokens.flatMap(\.words) { writer.append(word) }
    case .forget(let ids):
      writer.append(Kind.forget)
      for id in ids {
        writer.append(id.high)
        writer.append(id.low)
      }
    case .made(let lane, let chunk, let token):
      writer.append(Kind.made)
      writer.append(Int64(lane))
      writer.append(chunk)
      for word in token.words { writer.append(word) }
    case .elsewhere(let count):
      writer.append(Kind.elsewhere)
      writer.append(Int64(count))
    case .end: writer.append(Kind.end)
    }
    return Array(writer.bytes)
  }

  package init(bytes: [UInt8]) throws { self = try bytes.withUnsafeBytes { try ControlNews($0) } }

  private init(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    func number<Number: FixedWidthInteger>(_ type: Number.Type) throws -> Number {
      let word = Int64(bitPattern: try Records.take(&rest))
      guard let number = Number(exactly: word) else { throw WireProblem("\(word) is no \(type)") }
      return number
    }
    func token() throws -> SharedToken {
      let words = try (0..<SharedToken.wordCount).map { _ in try Records.take(&rest) }
      guard let token = SharedToken(words: words) else { throw WireProblem("no shared object") }
      return token
    }
    switch try Records.take(&rest) {
    case Kind.configure:
      var environment: [String: String?] = [:]
      while !rest.isEmpty {
        let name = String(decoding: try Records.next(&rest).bytes, as: UTF8.self)
        let value = try Records.next(&rest)
        environment.updateValue(value.isPoison ? nil : String(decoding: value.bytes, as: UTF8.self), forKey: name)
      }
      self = .configure(environment: environment)
    case Kind.logging:
      let label = String(decoding: try Records.next(&rest).bytes, as: UTF8.self)
      self = .logging(label: label, level: String(decoding: try Records.next(&rest).bytes, as: UTF8.self))
    case Kind.lane:
      let lane = try number(Int.self)
      let slot = try number(Int.self)
      var cpus: [Int32] = []
      while !rest.isEmpty { cpus.append(try number(Int32.self)) }
      self = .lane(number: lane, slot: slot, cpus: cpus)
    case Kind.segment: self = .segment(lane: try number(Int.self), id: try number(UInt32.self))
    case Kind.cancel:
      let lane = try number(Int.self)
      let (first, last) = (try Records.take(&rest), try Records.take(&rest))
      guard first <= last else { throw WireProblem("chunks from \(first) to \(last)") }
      self = .cancel(lane: lane, first...last)
    case Kind.shared:
      var tokens: [SharedToken] = []
      while !rest.isEmpty { tokens.append(try token()) }
      self = .shared(tokens)
    case Kind.forget:
      var ids: [SharedID] = []
      while !rest.isEmpty { ids.append(SharedID(high: try Records.take(&rest), low: try Records.take(&rest))) }
      self = .forget(ids)
    case Kind.made:
      let lane = try number(Int.self)
      self = .made(lane: lane, chunk: try Records.take(&rest), try token())
    case Kind.elsewhere: self = .elsewhere(bytes: try number(Int.self))
    case Kind.end: self = .end
    case let kind: throw WireProblem("news of kind \(kind)")
    }
    guard rest.isEmpty else { throw WireProblem("\(rest.count) bytes behind the news") }
  }
}
