import Testing

@testable import Millrace

/// The sizes that a plan gives for an input of `length` items.
private func sizes(
  _ chunking: MapOptions.Chunking, over length: Int, declared: Int? = nil, width: Int = 1
) throws -> [Int] {
  var plan = try ChunkPlan(chunking, total: declared ?? length, width: width)
  var left = length
  var sizes: [Int] = []
  while left > 0, let size = plan.next() {
    sizes.append(min(size, left))  // the input ends where it ends
    left -= size
  }
  return sizes
}

@Suite("Chunk arithmetic")
struct ChunkingTests {
  @Test("M2: sizes and splits")
  func sizesAndSplits() throws {
    #expect(try sizes(.count(3), over: 10) == [4, 3, 3])
    #expect(try sizes(.size(2.5), over: 10) == [3, 2, 3, 2])
    #expect(try sizes(.count(6), over: 10) == [2, 2, 1, 2, 2, 1])
    #expect(try sizes(MapOptions.Chunking(size: 4, count: 4), over: 4) == [4])
    #expect(try sizes(.count(7), over: 100) == [15, 14, 14, 15, 14, 14, 14])
    #expect(try sizes(.size(4), over: 10) == [4, 4, 2])
  }

  @Test("M2: 1000 items, four workers, 64 chunks each")
  func perWorker() throws {
    let sizes = try sizes(.perWorker(64), over: 1000, width: 4)
    #expect(sizes.count == 256 && sizes.reduce(0, +) == 1000 && Set(sizes) == [3, 4])
  }

  @Test("M2: declared lengths that differ from the real one", arguments: [(5, 5), (10, 10), (20, 10)])
  func declared(length: Int, expected: Int) throws {
    for chunking in [MapOptions.Chunking.size(2.5), .size(3), .count(4), .perWorker(2), .automatic] {
      #expect(try sizes(chunking, over: 10, declared: length, width: 2).reduce(0, +) == expected, "\(chunking)")
    }
  }

  @Test(
    "so many chunks from here on are alike, as far as is known",
    arguments: [(nil, Int.max), (10, 1), (12, 2), (13, 2), (100, 24)])
  func alike(total: Int?, expected: Int) throws {
    for chunking in [MapOptions.Chunking.size(4), .size(1), .size(200), .size(2.5), .automatic] {
      var plan = try ChunkPlan(chunking, total: total, width: 2)
      plan.took(3)
      if chunking == .size(4) { #expect(plan.alike == expected) }
      let first = try #require(plan.upcoming)
      for _ in 0..<min(plan.alike, 1_000) { #expect(plan.next() == first, "\(chunking)") }
    }
  }

  @Test("M2: neither size nor splits")
  func neither() {
    #expect(throws: InvalidOption.self) { try MapOptions.Chunking(size: nil, count: nil) }
  }

  @Test("M3: two chunks for each worker by default, and more where all is in memory anyway")
  func windows() {
    func window(_ options: MapOptions, isInMemory: Bool) -> JobSpec.Window {
      options.spec(WorkerKey(1), width: 2, isInMemory: isInMemory).window
    }
    for chunking in [MapOptions.Chunking.automatic, .size(1), .size(3.14), .count(5)] {
      #expect(window(MapOptions(chunking: chunking), isInMemory: false) == .chunks(perWorker: 2))
    }
    for (chunking, perWorker) in [
      (MapOptions.Chunking.size(1), 2_048), (.size(100), 20.48), (.size(5_000), 16), (.automatic, 16),
    ] {
      #expect(window(MapOptions(chunking: chunking), isInMemory: true) == .chunks(perWorker: perWorker))
    }
    #expect(window(MapOptions(chunking: .size(1), window: .items(7)), isInMemory: true) == .items(7))
  }

  @Test("M3: fewer items than chunks, and an even division")
  func smallInputs() throws {
    #expect(try sizes(.perWorker(64), over: 11, width: 3) == Array(repeating: 1, count: 11))
    #expect(try sizes(.count(11), over: 22) == Array(repeating: 2, count: 11))
  }

  @Test(
    "M3: values that are not allowed",
    arguments: [
      .size(0), .size(-5), .size(0.5), .size(.infinity), .size(-.infinity), .size(.nan), .count(0), .count(-5),
      .perWorker(0), .perWorker(-5),
    ] as [MapOptions.Chunking])
  func refused(chunking: MapOptions.Chunking) {
    #expect(throws: InvalidOption.self) { try ChunkPlan(chunking, total: 10, width: 2) }
    #expect(throws: InvalidOption.self) { try chunking.validate() }
  }

  @Test func aRefusalSaysWhatIsAllowed() {
    let refusal = #expect(throws: InvalidOption.self) { try MapOptions.Chunking.size(0).validate() }
    #expect(refusal?.description == "chunk size is 0: it has to be at least 1")
  }

  @Test func numbersOfChunksNeedANumberOfItems() throws {
    #expect(
      MapOptions.Chunking.count(3).needsCount && MapOptions.Chunking.perWorker(3).needsCount
        && !MapOptions.Chunking.size(3).needsCount)
    #expect(throws: InvalidOption.self) { try ChunkPlan(.count(3), total: nil, width: 1) }
    var endless = try ChunkPlan(.size(2.5), total: nil, width: 1)
    #expect((0..<4).map { _ in endless.next() } == [3, 2, 3, 2])
  }

  @Test("V19: chunks of three over 0..<8")
  func groups() {
    #expect((0..<8).chunks(of: 3).map { Array($0) } == [[0, 1, 2], [3, 4, 5], [6, 7]])
  }

  @Test("P9: even chunks, larger first")
  func even() {
    let rows = Array(0..<10)
    #expect(rows.evenChunks(atMost: 4).map(\.count) == [4, 3, 3])
    #expect(rows.evenChunks(count: 4).map(\.count) == [3, 3, 2, 2])
    #expect(rows.evenChunks(count: 4, atLeast: 4).map(\.count) == [5, 5])
    #expect(rows.evenChunks(count: 4, atLeast: 11).map(\.count) == [10])
    #expect([Int]().evenChunks(count: 4, atLeast: 3).map(\.count) == [])
    #expect([Int]().evenChunks(atMost: 4).map(\.count) == [])
    #expect(Array(0..<2).evenChunks(count: 5).map(\.count) == [1, 1])
  }

  @Test(arguments: [0, 1, 2, 3, 10, 97, 1000])
  func chunksAreTheWhole(count: Int) {
    let items = Array(0..<count)
    for size in [1, 2, 7, 1000, 5000] { whole(items.chunks(of: size), items) }
    for size in [1.0, 1.1, 2.2, 2.5, 3.3333, 999.9, 1e300] { whole(items.chunks(of: size), items) }
    for number in [1, 2, 3, 64, 5000] {
      whole(items.chunks(count: number), items)
      whole(items.evenChunks(count: number), items)
      #expect(items.chunks(count: number).count == min(number, count))
    }
    #expect(Set(items).chunks(of: 3).reduce(0) { $0 + $1.count } == count)
    #expect("añb".chunks(of: 2).map(String.init) == ["añ", "b"])
  }

  private func whole(_ chunks: Chunks<[Int]>, _ items: [Int]) {
    #expect(chunks.flatMap { $0 } == items)
    #expect(chunks.indices.flatMap { Array(chunks[$0]) } == items)
    #expect(chunks.allSatisfy { !$0.isEmpty })
  }

  /// The arithmetic is exact where a running sum of floating-point numbers has long been off.
  @Test func noRoundingAccumulates() {
    let rule = ChunkingRule.size(1.1)
    let exact = 1.1.significandBitPattern | 1 << 52  // times 2^-52
    for index in [1, 10, 1_000_000, 1 << 40] {
      let product = Int128(index) * Int128(exact)
      let floor = Int(product >> 52)
      #expect(rule.start(of: index) == (product == Int128(floor) << 52 ? floor : floor + 1))
    }
    #expect(ChunkingRule.sharing(Int.max, count: 3).start(of: 3) == Int.max)
  }
}

@Suite("Adaptive chunks")
struct AdaptiveChunkTests {
  @Test("U32: where chunks can be shared, a small map is few of them before anything is measured")
  func startsLarge() throws {
    var plan = try ChunkPlan(.automatic, total: 1_000, width: 2, startsLarge: true)
    var sizes: [Int] = []
    while let size = plan.next() { sizes.append(size) }
    #expect(sizes.first == 250 && sizes.last == 1 && sizes.reduce(0, +) == 1_000 && sizes.count <= 28)
    #expect(zip(sizes, sizes.dropFirst()).allSatisfy { $0 >= $1 })
    var large = try ChunkPlan(.automatic, total: .max, width: 2, startsLarge: true)
    #expect(large.next() == AdaptiveChunk.maximumFirst)
    var unknown = try ChunkPlan(.automatic, total: nil, width: 2, startsLarge: true)
    #expect(unknown.next() == 1)
  }

  @Test func beginsWithOneAndGrowsAtMostEightfold() {
    var chunk = AdaptiveChunk(width: 2)
    #expect(chunk.size(remaining: nil) == 1)
    var sizes: [Int] = []
    for _ in 0..<8 {
      let size = chunk.size(remaining: nil)
      sizes.append(size)
      chunk.measured(items: size, nanoseconds: size * 10)
    }
    #expect(sizes == [1, 8, 64, 512, 4096, 32_768, 65_536, 65_536])
  }

  @Test func followsTheTimeThatItemsTake() {
    var chunk = AdaptiveChunk(width: 2)
    for _ in 0..<10 {
      chunk.measured(items: chunk.size(remaining: nil), nanoseconds: chunk.size(remaining: nil) * 1000)
    }
    #expect(chunk.size(remaining: nil) == 1_000)
    chunk.measured(items: 1_000, nanoseconds: 1_000 * 2_000_000)
    #expect(chunk.size(remaining: nil) == 1)
    for _ in 0..<20 { chunk.measured(items: 1, nanoseconds: 1000) }
    #expect((900...1_000).contains(chunk.size(remaining: nil)))
  }

  @Test("U112: a backend whose chunks cost more has longer ones")
  func followsTheBackend() {
    var sizer = ChunkSizer(.automatic)
    sizer.start(total: nil, width: 2, chunkTime: 20_000_000)
    for _ in 0..<10 {
      let size = sizer.largest
      sizer.measured(items: size, nanoseconds: UInt64(size) * 10_000, overhead: nil, bytes: nil)
    }
    #expect(sizer.largest == 2_000)
  }

  @Test("U180: no chunk takes less than what it costs to send one, where that is known")
  func weighsSending() throws {
    func sizes(ofItemsOf nanoseconds: Int, overhead: Int?) throws -> [Int] {
      var plan = try ChunkPlan(.automatic, total: 1_000, width: 4, chunkTime: 20_000_000)
      var sizes: [Int] = []
      while let size = plan.next() {
        sizes.append(size)
        plan.measured(items: size, nanoseconds: size * nanoseconds, overhead: overhead)
      }
      #expect(sizes.reduce(0, +) == 1_000)
      return sizes
    }
    // All that is left takes less than a round trip.
    #expect(try sizes(ofItemsOf: 1_000, overhead: 75_000_000) == [1, 8, 64, 512, 415])
    #expect(try sizes(ofItemsOf: 1_000, overhead: nil).count > 30)
    // To the end, as long as a round trip; the last is what is left.
    let distant = try sizes(ofItemsOf: 1_000_000, overhead: 75_000_000)
    #expect(distant.dropFirst(2).dropLast().allSatisfy { $0 >= 64 } && distant.count <= 16)
    // Items that take longer go one by one, as ever.
    #expect(try sizes(ofItemsOf: 100_000_000, overhead: 75_000_000) == Array(repeating: 1, count: 1_000))
    // Whoever waits for others' work waits for any time.
    #expect(try sizes(ofItemsOf: 1_000_000, overhead: 60_000_000_000).max()! <= 200)
  }

  @Test func shrinksTowardsTheEnd() throws {
    var plan = try ChunkPlan(.automatic, total: 100_000, width: 2)
    var sizes: [Int] = []
    while let size = plan.next() {
      sizes.append(size)
      plan.measured(items: size, nanoseconds: size * 10)
    }
    #expect(sizes.reduce(0, +) == 100_000)
    #expect(sizes.max()! <= 25_000 && sizes.count < 30)
    // But for the first, and what is left at the end, none takes less than it costs to hand one over.
    #expect(sizes.dropFirst(3).dropLast().allSatisfy { $0 >= 500 } && sizes.last! <= 500)
  }

  @Test func keepsToBytesAndMaximum() {
    var chunk = AdaptiveChunk(width: 1)
    for _ in 0..<10 { chunk.measured(items: chunk.size(remaining: nil), nanoseconds: 1) }
    #expect(chunk.size(remaining: nil) == AdaptiveChunk.maximum)
    var large = AdaptiveChunk(width: 1)
    for _ in 0..<10 { large.measured(items: 1, nanoseconds: 1, bytes: 300_000) }
    #expect(large.size(remaining: nil) == 3)
    large.measured(items: 1, nanoseconds: 1, bytes: 32 << 20)
    #expect(large.size(remaining: nil) == 1)
  }
}
