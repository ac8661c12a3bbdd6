package import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A worker as a pool sees it whose workers are elsewhere: how its items and outputs travel, and how it is made there.
package protocol RemoteWorker: Sendable {
  /// Whether it can only run in a fork of this very process.
  var needsFork: Bool { get }

  /// Throws a ``WorkerPoolError`` that names the type if the worker, or what goes through it, cannot be sent.
  func validate(forking: Bool) throws

  /// The same for a worker on another machine, which has no memory in common with this one.
  ///
  /// - Parameter passage: by which shared objects in the worker's configuration would go there, or would not.
  func validateElsewhere(_ passage: SharedPassage) throws

  /// What a worker process makes its instance of: the type and the encoded configuration.
  func announcement() throws -> [UInt8]

  /// For a process that was forked from this one.
  var makeHost: @Sendable () -> any HostedWorker { get }

  /// The bytes of an item, if items are sent as they lie in memory.
  var inputStride: Int? { get }
  /// The bytes of an output, if outputs are sent as they lie in memory.
  var outputStride: Int? { get }

  /// The items in the range as records, of `size` bytes, to be written before `scratch` is cleared.
  func prepare(_ inputs: InputStore, _ range: Range<Int>, _ scratch: EncodingScratch) -> EncodedItems

  /// Room for the outputs of `count` items from `first` on, of `outputSize` bytes each.
  func makeOutputs(first: Int, count: Int) -> OutputStore

  var outputSize: Int { get }

  /// Decodes `count` outputs, the first of the item at `index`, into their room. Records that cannot be decoded are errors
  /// of their items.
  func decode(
    _ payload: UnsafeRawBufferPointer, count: Int, at index: Int, into outputs: OutputStore
  ) throws -> [(index: Int, error: any Error)]

  func decodeExit(_ payload: UnsafeRawBufferPointer) throws -> any Sendable
}

/// Encoded items, on the way to wherever they are written.
package struct EncodedItems {
  let size: Int
  let write: (UnsafeMutableRawPointer) -> Void
}

package struct TypedRemoteWorker<W: Worker>: RemoteWorker {
  private let worker: W
  // Nil if there is none, which `validate` refuses.
  private let input: PayloadCoding<W.Input>?
  private let output: PayloadCoding<W.Output>?
  private let exit: PayloadCoding<W.Exit>?
  /// Which of them is missing, and why.
  private let refusal: (part: String, error: any Error)?
  private let name: String
  package let inputStride: Int?
  package let outputSize = MemoryLayout<W.Output>.stride
  package let outputStride: Int?

  package init(_ worker: W) {
    self.worker = worker
    name = workerName(W.self)
    var refusal: (part: String, error: any Error)?
    func coding<Value>(for type: Value.Type, _ part: String) -> PayloadCoding<Value>? {
      do {
        return try Payload.coding(for: type, standIn: RemoteError.self)
      } catch {
        refusal = refusal ?? (part, error)
        return nil
      }
    }
    input = coding(for: W.Input.self, "input")
    output = coding(for: W.Output.self, "output")
    exit = coding(for: W.Exit.self, "exit value")
    self.refusal = refusal
    inputStride = input?.fixedStride
    outputStride = output?.fixedStride
  }

  package var needsFork: Bool { worker is any ForkedOnly || (worker as? any PerhapsForked)?.needsFork == true }

  package func validate(forking: Bool) throws {
    if let refusal {
      throw WorkerPoolError(
        .notTransportable, "\(name) cannot run in worker processes, for its \(refusal.part)",
        underlying: refusal.error.forUsers)
    }
    if !forking { _ = try TrialCarrier.passage.within { try announcement() } }
  }

  package func validateElsewhere(_ passage: SharedPassage) throws {
    try validate(forking: true)
    let parts: [(String, Any.Type)] = [("input", W.Input.self), ("output", W.Output.self)]
    for (part, type) in parts {
      guard let found = SharedParts.first(in: type) else { continue }
      throw WorkerPoolError(
        .notTransportable,
        "\(name) cannot run on another machine, for its \(part): \(readableTypeName(found)) is memory that the processes of one machine "
          + "have in common. Send a copy of what is in it; what is only read may be a property of the worker, as Shared"
      )
    }
    do { _ = try passage.within { try announcement() } } catch let error as TransportError {
      throw WorkerPoolError(
        .notTransportable, "\(name) cannot run on another machine, for its configuration", underlying: error)
    }
  }

  package func announcement() throws -> [UInt8] {
    guard let type = TypeReference(W.self) else {
      throw WorkerPoolError(
        .notTransportable,
        "\(name) cannot be found by a worker process: generic types that are private or local have no name there, "
          + "and what has a type in it that is generic over what cannot be copied (~Copyable) is not found by its name; "
          + "make it internal, or such a value a property of a type of your own, or start the workers with .fork")
    }
    var writer = ByteWriter()
    type.bytes.withUnsafeBytes { Records.append($0, to: &writer) }
    let start = writer.count
    writer.append(UInt64(0))
    try encode(worker, into: &writer)
    writer.replace(at: start, with: UInt64(writer.count - start - 8))
    Records.pad(&writer)
    return try bytesOfWorker(writer)
  }

  package var makeHost: @Sendable () -> any HostedWorker {
    { [worker] in TypedHostedWorker(worker) }
  }

  package func prepare(_ inputs: InputStore, _ range: Range<Int>, _ scratch: EncodingScratch) -> EncodedItems {
    let cell = unsafeDowncast(inputs, to: InputCell<W.Input>.self)
    let items = UnsafeBufferPointer(start: cell.items + (range.lowerBound - cell.base), count: range.count)
    guard let coding = input else { preconditionFailure("validated at submission") }
    defer { withExtendedLifetime(cell) {} }
    var size = 0
    for item in items {
      guard let count = coding.byteCount(of: item) else { return coded(items, coding, scratch) }
      size += Records.size(count)
    }
    return EncodedItems(size: size) { target in
      var place = target
      withExtendedLifetime(cell) {
        for item in items {
          let count = coding.byteCount(of: item) ?? 0
          place.storeBytes(of: UInt64(count), as: UInt64.self)
          coding.write(item, to: place + 8)
          place += Records.size(count)
        }
      }
    }
  }

  private func coded(
    _ items: UnsafeBufferPointer<W.Input>, _ coding: PayloadCoding<W.Input>, _ scratch: EncodingScratch
  ) -> EncodedItems {
    if let first = items.baseAddress {
      for offset in 0..<items.count { append(first + offset, coding, to: &scratch.writer) }
    }
    return EncodedItems(size: scratch.writer.count) { target in
      if scratch.writer.count > 0 { target.copyMemory(from: scratch.writer.base, byteCount: scratch.writer.count) }
    }
  }

  /// Appends the record of an item; a poison record if it cannot be encoded.
  private func append(
    _ item: UnsafePointer<W.Input>, _ coding: PayloadCoding<W.Input>, to writer: inout ByteWriter
  ) {
    let start = writer.count
    writer.append(UInt64(0))
    do {
      try coding.encode(at: item, into: &writer)
      writer.replace(at: start, with: UInt64(writer.count - start - 8))
      Records.pad(&writer)
    } catch {
      writer.truncate(to: start)
      var reason = ByteWriter()
      try? WireError(error.forUsers).encode(into: &reason)
      Records.append(reason.bytes, isPoison: true, to: &writer)
    }
  }

  package func makeOutputs(first: Int, count: Int) -> OutputStore {
    OutputBuffer<W.Output>(base: first, capacity: count)
  }

  package func decode(
    _ payload: UnsafeRawBufferPointer, count: Int, at index: Int, into outputs: OutputStore
  ) throws -> [(index: Int, error: any Error)] {
    let outputs = unsafeDowncast(outputs, to: OutputBuffer<W.Output>.self)
    let place = index - outputs.base
    guard let coding = output else { preconditionFailure("validated at submission") }
    guard count >= 0, count <= payload.count / 8 else {
      throw WireProblem("\(payload.count) bytes for \(count) outputs")
    }
    var broken: [(index: Int, error: any Error)] = []
    var rest = payload
    for offset in place..<place + count {
      let record = try Records.next(&rest)
      do {
        try coding.decode(from: record.bytes, into: outputs.storage + offset)
        outputs.settle(offset..<offset + 1)
      } catch {
        broken.append((outputs.base + offset, error.forUsers))
      }
    }
    return broken
  }

  package func decodeExit(_ payload: UnsafeRawBufferPointer) throws -> any Sendable {
    guard let coding = exit else { preconditionFailure("validated at submission") }
    return try coding.decode(from: payload)
  }
}

/// Where items are encoded on their way, one chunk after the other.
package final class EncodingScratch {
  @exclusivity(unchecked) fileprivate var writer = ByteWriter()

  package init() {}

  /// What was encoded has been copied.
  package func clear() {
    writer.removeAll()
    writer.trim(above: 1 << 20)
  }
}

/// A worker that has no configuration that could be sent: closures.
protocol ForkedOnly {}

extension ClosureWorker: ForkedOnly {}

/// A worker's configuration as bytes.
func encodedWorker<W: Worker>(_ worker: W) throws -> [UInt8] {
  var writer = ByteWriter()
  try encode(worker, into: &writer)
  return try bytesOfWorker(writer)
}

/// What was written, if this program has memory for it once more.
private func bytesOfWorker(_ writer: borrowing ByteWriter) throws -> [UInt8] {
  guard MemoryHere.takes(writer.count) else {
    throw SystemError("encoding a worker's configuration of \(writer.count) bytes", ENOMEM)
  }
  return Array(writer.bytes)
}

private func encode<W: Worker>(_ worker: W, into writer: inout ByteWriter) throws {
  let coding: PayloadCoding<W>
  do { coding = try Payload.coding(for: W.self, standIn: RemoteError.self) } catch {
    throw WorkerPoolError(
      .notTransportable,
      "\(readableTypeName(W.self)) cannot be sent to a worker process: make it Codable, or start the workers with .fork",
      underlying: error.forUsers)
  }
  do { try coding.encode(worker, into: &writer) } catch let error as MemoryError {
    throw SystemError(error.call, error.code)
  }
}

/// The worker of these bytes.
func decodedWorker<W: Worker>(_ type: W.Type, _ bytes: UnsafeRawBufferPointer) throws -> W {
  try Payload.coding(for: type, standIn: RemoteError.self).decode(from: bytes)
}
