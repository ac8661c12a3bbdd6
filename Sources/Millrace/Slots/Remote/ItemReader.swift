import MillraceIPC

/// Decodes the items of chunks, one after the other, into one place.
final class ItemReader<Input> {
  /// Where the item is that was read last.
  let place: UnsafeMutablePointer<Input>
  private let coding: PayloadCoding<Input>
  /// The bytes of an item that lies in place.
  let stride: Int
  // Of the worker's thread alone, which is in them once at a time: small chunks pay for each check.
  @exclusivity(unchecked) private var isPacked = false
  /// What has not been read.
  @exclusivity(unchecked) private var rest = UnsafeRawBufferPointer(start: nil, count: 0)
  @exclusivity(unchecked) private var isFull = false
  /// How it went with an item that was read ahead.
  @exclusivity(unchecked) private var ahead: Result<(any Error)?, any Error>?

  init(_ coding: PayloadCoding<Input>) {
    self.coding = coding
    stride = coding.fixedStride ?? 0
    place = .allocate(capacity: 1)
  }

  deinit {
    empty()
    place.deallocate()
  }

  /// Another chunk's items are read.
  func begin(_ request: ChunkRequest) {
    isPacked = request.isPacked
    rest = request.items
    ahead = nil
  }

  /// The item that was read last is not needed any more.
  func empty() {
    if isFull { place.deinitialize(count: 1) }
    isFull = false
  }

  /// Reads the next item; returns why that one cannot be decoded, if it cannot. Throws if nothing can be read any more.
  func read() throws -> (any Error)? {
    if let found = ahead {
      ahead = nil
      return try found.get()
    }
    empty()
    do {
      let bytes: UnsafeRawBufferPointer
      if isPacked {
        bytes = UnsafeRawBufferPointer(rebasing: rest[..<stride])
        rest = UnsafeRawBufferPointer(rebasing: rest[stride...])
      } else {
        let record = try Records.next(&rest)
        if record.isPoison {
          return try WireError.decode(from: record.bytes).error(RemoteError.self)
        }
        bytes = record.bytes
      }
      try KillPoint.workerDecodesItem.reachThrowing()
      try coding.decode(from: bytes, into: place)
      isFull = true
      return nil
    } catch let problem as WireProblem {
      throw problem
    } catch {
      return error
    }
  }

  /// Reads the next item; false if it cannot be decoded, which `read` will say then.
  func readsOn() -> Bool {
    let found = Result { try read() }
    if case .success(nil) = found { return true }
    ahead = found
    return false
  }
}
