import MillraceIPC

/// The header page of a lane: what a worker maps, its marker, and its crash record.
///
/// Input: pairs of a place and the word that is written there.
struct PageTarget: FuzzTarget {
  let name = "page"

  func valid(_ random: inout FuzzRandom) -> [[UInt8]] {
    let marker = UInt64(LaneLayout.markerOffset)
    let crash = UInt64(LaneLayout.crashRecordOffset)
    return [
      littleEndian(marker, UInt64(random.below(4))), littleEndian(marker + 8, 5),
      littleEndian(marker + 16, random.next()),
      littleEndian(marker + 24, 9), littleEndian(marker + 32, UInt64(random.below(9)) | LaneLayout.abandoned),
      littleEndian(crash + 8, random.next()), littleEndian(crash, UInt64(random.below(4)) | 11 << 32),
    ]
  }

  func read(_ bytes: [UInt8]) throws {
    let lane = try Lane(ringCapacity: 4_096)
    let memory = try HostileMemory(of: lane)
    var reader = WordReader(bytes)
    for _ in 0..<256 where !reader.rest.isEmpty {
      let place = Int(reader.word() % UInt64(SharedMemory.pageSize)) & ~3
      memory.set(min(place, SharedMemory.pageSize - 8), reader.word())
    }
    let snapshot = lane.snapshot()
    try promise(snapshot.completed >= 0, "\(snapshot.completed) items are completed")
    try promise(snapshot.state == .running || snapshot.completed == 0, "\(snapshot) while nothing runs")
    _ = CrashReport(at: UnsafeRawPointer(lane.crashRecord)).map { "\($0)" }
    // The worker's side.
    let copy = try Lane(mapping: lane.duplicate())
    try promise(
      copy.requestCapacity == lane.requestCapacity && copy.responseCapacity == lane.responseCapacity,
      "rings of other sizes")
    var end = WorkerEnd(copy, bell: .futex, spin: 0)
    while try end.requests.nextClaimed() != nil {}
    end.marker.beginChunk(3)
  }
}
