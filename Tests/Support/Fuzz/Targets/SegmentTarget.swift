import Foundation
import MillraceIPC

/// Segments that a worker announces and refers to.
///
/// Input: steps of four words: what, which segment, a number, another.
struct SegmentTarget: FuzzTarget {
  let name = "segment"
  private static let countLimit = 4
  private static let byteLimit = 1 << 20

  private enum Step: UInt64, CaseIterable { case adopt, resolve, release, drop }
  private enum Kind: UInt64, CaseIterable { case good, sparse, unsealed, pipe, closed, page }

  func valid(_ random: inout FuzzRandom) -> [[UInt8]] {
    var steps: [[UInt8]] = []
    for id in 1...UInt64(1 + random.below(3)) {
      steps.append(littleEndian(Step.adopt.rawValue, id, Kind.good.rawValue, 1 + UInt64(random.below(16))))
      for _ in 0..<random.below(3) {
        steps.append(littleEndian(Step.resolve.rawValue, id, UInt64(random.below(4_097)), 0))
        steps.append(littleEndian(Step.release.rawValue, id, 0, 0))
      }
      if random.chance(30) { steps.append(littleEndian(Step.drop.rawValue, id, 0, 0)) }
    }
    return steps
  }

  func read(_ bytes: [UInt8]) throws {
    let before = try Self.openDescriptors()
    let result = Result { try run(bytes) }
    try promise(try Self.openDescriptors() == before, "descriptors were left open")
    try result.get()
  }

  private func run(_ bytes: [UInt8]) throws {
    var receiver = SegmentReceiver(countLimit: Self.countLimit, byteLimit: Self.byteLimit)
    var held: Set<UInt32> = []
    var reader = WordReader(bytes)
    for _ in 0..<64 where !reader.rest.isEmpty {
      let step = Step(rawValue: reader.word() % 4)!
      let id = UInt32(truncatingIfNeeded: reader.word())
      let (number, other) = (reader.word(), reader.word())
      switch step {
      case .adopt:
        try receiver.adopt(id, descriptor: Self.descriptor(number, other))
        let isHollow = Kind(rawValue: number % 6) == .sparse && Self.sparseSize(other) > SharedMemory.pageSize + 65_536
        try promise(!isHollow, "a segment of \(Self.sparseSize(other)) bytes was taken of which none are there")
      case .resolve:
        let data = try receiver.resolve(id, length: Int(clamping: number))
        held.insert(id)
        try promise(
          data.count == Int(clamping: number) && data.count <= Self.byteLimit, "\(data.count) bytes were given")
        var sum: UInt8 = 0
        for place in stride(from: 0, to: data.count, by: 4_096) { sum ^= data[place] }
        if let last = data.last { sum ^= last }
        try promise(sum == 0, "a segment of zeros holds something else")
      // Nobody gives back what he does not have.
      case .release: if held.remove(id) != nil { receiver.release(id) }
      case .drop: try receiver.drop(id)
      }
    }
  }

  /// What a worker might send: a descriptor of its own making.
  private static func descriptor(_ kind: UInt64, _ size: UInt64) throws -> Int32 {
    let pages = 1 + Int(size % 20)
    switch Kind(rawValue: kind % 6)! {
    case .good:
      let memory = try SharedMemory(size: (pages + 1) * SharedMemory.pageSize)
      try memory.map().populate(0..<memory.size, of: memory)
      return memory.duplicate()
    case .sparse: return try SharedMemory(size: sparseSize(size)).duplicate()
    case .unsealed:
      let file = tmpfile()!
      defer { fclose(file) }
      ftruncate(fileno(file), pages << 12)
      return dup(fileno(file))
    case .pipe:
      let pipe = try MillraceIPC.Pipe()
      return dup(pipe.reading.rawValue)
    case .closed: return -1
    case .page: return try SharedMemory(size: 1).duplicate()
    }
  }

  private static func sparseSize(_ size: UInt64) -> Int { 1 << (12 + Int(size % 29)) }

  private static func openDescriptors() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
  }
}

extension SharedMemory {
  /// Another descriptor of the same memory, as one that has come from a peer.
  func duplicate() -> Int32 { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) }
}

extension Lane {
  func duplicate() -> Int32 { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) }
}
