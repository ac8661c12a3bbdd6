import MillraceIPC

/// Decodes the items of a chunk, one after the other, into one place.
final class ItemReader<Input> {
  /// Where the item is that was read last.
  let place: UnsafeMutablePointer<Input>
  private let coding: PayloadCoding<Input>
  private let isPacked: Bool
  /// What has not been read.
  private var rest: UnsafeRawBufferPointer
  private var isFull = false
  /// How it went with an item that was read ahead.
  private var ahead: Result<(any Error)?, any Error>?

  init(_ request: ChunkRequest, _ coding: PayloadCoding<Input>) {
    self.coding = coding
    isPacked = request.isPacked
    rest = request.items
    place = .allocate(capacity: 1)
  }

  deinit {
    empty()
    place.deallocate()
  }

  private func empty() {
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
        let stride = MemoryLayout<Input>.stride
        bytes = UnsafeRawBufferPointer(rebasing: rest[..<stride])
        rest = UnsafeRawBufferPointer(rebasing: rest[stride...])
      } else {
        let record = try Records.next(&rest)
        if record.isPoison {
          return RemoteError(typeName: "EncodingError", message: String(decoding: record.bytes, as: UTF8.self))
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
