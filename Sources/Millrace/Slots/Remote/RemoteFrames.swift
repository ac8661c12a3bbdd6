package import MillraceIPC

/// What the pool and a worker lane say to each other through the rings of their lane.
///
/// In each header, `b` is the chunk's number or the worker's key. A payload that is large for the ring travels in a
/// segment, and the frame holds its number and length (`FrameFlags.segment`).
package enum FrameKind {
  // Requests

  /// Make an instance of a worker and set it up. Payload: the announcement, none if the lane was forked for the worker.
  package static let open: UInt16 = 1
  /// Run items: `a` of them, of the worker `c`. Payload: `ChunkHead`, then the items.
  package static let chunk: UInt16 = 2
  package static let tearDown: UInt16 = 3
  /// Tear down what is left and end.
  package static let stop: UInt16 = 4

  // Either way

  /// The segment `a` was dropped, and is to be forgotten. No payload.
  package static let retired: UInt16 = 5

  // Responses

  package static let opened: UInt16 = 10
  /// Payload: a `WireError`.
  package static let openFailed: UInt16 = 11
  /// The outputs of the next `a` items of the chunk. With `FrameFlags.final` they are the last, and all of the chunk's items
  /// took `c` nanoseconds.
  package static let outputs: UInt16 = 12
  /// The next item of the chunk failed. Payload: a `WireError`; it could not be sent if `FrameFlags.undecodable`.
  package static let itemFailed: UInt16 = 13
  /// The chunk is over, after `a` items that took `c` nanoseconds. Payload: resident bytes, if asked for.
  package static let chunkDone: UInt16 = 14
  /// Payload: the exit value, or a `WireError` with `FrameFlags.failed`; nothing with `FrameFlags.empty`.
  package static let tornDown: UInt16 = 15
  package static let stopped: UInt16 = 16
}

package enum FrameFlags {
  /// Items or outputs lie one behind the other as they are in memory; otherwise each has a record (`Records`).
  package static let packed: UInt16 = 1
  package static let segment: UInt16 = 2
  package static let final: UInt16 = 4
  package static let undecodable: UInt16 = 8
  package static let failed: UInt16 = 16
  package static let empty: UInt16 = 32
  package static let timed: UInt16 = 64
  package static let measuresMemory: UInt16 = 128
}

/// What a chunk's payload begins with.
struct ChunkHead: BitwiseCopyable {
  var first: Int64
  var seed: UInt64
  var attempt: Int64
  var padding: Int64 = 0
}

/// Where a payload is that travels in a segment.
struct SegmentReference: BitwiseCopyable {
  var id: UInt64
  var length: UInt64
}

/// Values of different sizes, one behind the other: a length of 8 bytes, then the bytes, padded to 8.
package enum Records {
  /// Instead of a length: the item could not be encoded; its text follows as a record.
  static let poison: UInt64 = .max

  static func size(_ bytes: Int) -> Int { 8 + (bytes + 7) & ~7 }

  /// Takes the next record off the front of `rest`: its bytes and whether it is poison.
  package static func next(_ rest: inout UnsafeRawBufferPointer) throws -> (
    bytes: UnsafeRawBufferPointer, isPoison: Bool
  ) {
    var length = try take(&rest)
    let isPoison = length == poison
    if isPoison { length = try take(&rest) }
    let size = Int(clamping: length)
    guard size <= rest.count else { throw WireProblem("a record of \(length) bytes where \(rest.count) are left") }
    let bytes = UnsafeRawBufferPointer(rebasing: rest[..<size])
    rest = UnsafeRawBufferPointer(rebasing: rest[min(rest.count, (size + 7) & ~7)...])
    return (bytes, isPoison)
  }

  static func take(_ rest: inout UnsafeRawBufferPointer) throws -> UInt64 {
    guard rest.count >= 8 else { throw WireProblem("\(rest.count) bytes where a length or a number is missing") }
    defer { rest = UnsafeRawBufferPointer(rebasing: rest[8...]) }
    return rest.loadUnaligned(as: UInt64.self)
  }

  package static func append(_ value: UnsafeRawBufferPointer, isPoison: Bool = false, to writer: inout ByteWriter) {
    if isPoison { writer.append(poison) }
    writer.append(UInt64(value.count))
    writer.append(contentsOf: value)
    pad(&writer)
  }

  static func pad(_ writer: inout ByteWriter) {
    while writer.count & 7 != 0 { writer.append(UInt8(0)) }
  }
}

/// The other side of a lane said something that cannot be.
package struct WireProblem: Error, CustomStringConvertible {
  package let description: String
  init(_ description: String) { self.description = description }
}

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
    case Kind.end: self = .end
    case let kind: throw WireProblem("news of kind \(kind)")
    }
    guard rest.isEmpty else { throw WireProblem("\(rest.count) bytes behind the news") }
  }
}
