import MillraceIPC

/// A frame of 64 bytes into a ring and out of it, both ends in this thread, neither of which ever sleeps.
enum RingPart {
  static func run(_ times: Int) throws -> Int {
    let lane = try Lane()
    var parent = ParentEnd(lane)
    var worker = WorkerEnd(lane, bell: .futex)
    let payload = [UInt8](repeating: 7, count: 64)
    var weight = 0
    for _ in 0..<times {
      _ = try payload.withUnsafeBytes { try parent.requests.send(FrameHeader(kind: 2), $0) }
      if let frame = try worker.requests.nextClaimed() { weight &+= frame.payload.count }
      worker.requests.finish()
    }
    return weight
  }
}
