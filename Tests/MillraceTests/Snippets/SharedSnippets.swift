import Foundation
import Millrace

// What "Shared memory" shows.

enum SharedSnippets {
  static func squares(_ pool: WorkerPool) async throws -> [Int] {
    let squares = try SharedArray<Int>(count: 1_000)
    try await pool.forEach(0..<1_000) { squares[$0] = $0 * $0 }

    return Array(squares)
  }

  // A type for worker processes that are not forks.
  struct Brighten: StatelessWorker, Codable {
    var image: SharedArray<Float>
    var width: Int

    func process(_ row: Int) {
      image.withMutableSpan { pixels in
        for index in row * width..<(row + 1) * width { pixels[index] *= 1.5 }
      }
    }
  }

  static func brighten(_ pool: WorkerPool, width: Int, height: Int) async throws -> [Float] {
    let image = try SharedArray<Float>(repeating: 0.5, count: width * height, lock: false)
    try await pool.forEach(0..<height, with: Brighten(image: image, width: width))

    return Array(image)
  }

  static func total(_ pool: WorkerPool, _ prices: [Double]) async throws -> Double {
    let total = try SharedValue(0.0)
    try await pool.forEach(prices) { price in total.withLock { $0 += price } }

    return total.value
  }

  static func poison(_ array: SharedArray<Int>) {
    array.withLock { elements in
      guard array.isPoisoned else { return }
      for index in elements.indices { elements[index] = 0 }
      array.clearPoison()
    }
  }

  static func counter(_ pool: WorkerPool, _ files: [String]) async throws -> Int {
    let done = try SharedCounter()
    try await pool.forEach(files) { file in
      try shrink(file)
      done.increment()
    }

    return done.value
  }

  static func shrink(_ file: String) throws {}

  static func flag(_ pool: WorkerPool) async throws -> [Bool] {
    let isReady = try SharedFlag()
    let waits = try await pool.map(0..<2, options: MapOptions(chunking: .size(1))) { item -> Bool in
      if item == 1 { isReady.set() }
      return isReady.wait(for: .seconds(10))
    }

    return waits
  }

  // A worker may make what it gives back.
  struct Histogram: StatelessWorker {
    func process(_ bytes: SharedBytes) throws -> SharedArray<Int> {
      let counts = try SharedArray<Int>(count: 256, lock: false)
      for byte in bytes { counts[Int(byte)] += 1 }
      return counts
    }
  }

  static func histograms(_ pool: WorkerPool, _ path: String) async throws -> [SharedArray<Int>] {
    let file = try SharedBytes(contentsOf: path)
    let histograms = try await pool.map(file.pieces(of: 1 << 20), with: Histogram())

    return histograms
  }

  struct LookUp: StatelessWorker, Codable {
    var dictionary: Shared<[String: String]>

    func process(_ word: String) -> String? { dictionary.value[word] }
  }

  static func lookUp(_ pool: WorkerPool, _ dictionary: [String: String], _ words: [String]) async throws -> [String?] {
    let shared = Shared(dictionary)
    let found = try await pool.map(words, with: LookUp(dictionary: shared))

    return found
  }

  static func warnings(_ pool: WorkerPool, _ files: [String]) async throws -> [String] {
    let warnings = try SharedQueue<String>(capacity: 1_000)
    try await pool.forEach(files) { file in
      if file.isEmpty { try warnings.push("a file without a name") }
    }
    warnings.close()
    var texts: [String] = []
    while let warning = try warnings.pop() { texts.append(warning) }

    return texts
  }
}
