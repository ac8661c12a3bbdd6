import Millrace

// What "Strided maps" shows.

enum StridedSnippets {
  static func degrees(_ pool: WorkerPool) async throws {
    let loom = try StridedMap(on: pool, stride: 2, buffer: 6)
    let angles = try loom.add([0.0, 90.0, 180.0, 270.0]) { $0 * .pi / 180 }
    let degrees = try loom.add(angles) { $0 * 180 / .pi }

    for try await degree in degrees { print(degree) }
  }

  static func fork(_ pool: WorkerPool, _ print: (String) -> Void) async throws {
    let loom = try StridedMap(on: pool)
    let words = try loom.add(["hello", "world"]) { $0.uppercased() }
    let left = try loom.add(words) { $0.replacing("E", with: "3") }
    let right = try loom.add(words) { $0.replacing("O", with: "0") }
    let pairs = try loom.add(left, right) { "\($0),\($1)" }

    for try await pair in pairs { print(pair) }
  }

  static func standstill(_ angles: StridedOutput<Double>) async throws {
    do {
      while let angle = try await angles.next() { print(angle) }
    } catch let error as StridedMapError where error.kind == .standstill {
      // result 6 of output 0 cannot come: the buffer of 6 is full with 6 of output 1 … Take from output 1 first: …
      print(error)
    }
  }

  static func failures(_ doubled: StridedOutput<Int>, _ print: (Any) -> Void) async throws {
    while let result = try await doubled.nextResult() {
      switch result {
      case .success(let number): print(number)
      case .failure(let failure):
        if let upstream = failure.underlying as? UpstreamFailure { print("failed in output \(upstream.output)") }
      }
    }
  }
}
