import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

// What "Coming from PaPy" shows.

@Sendable func power(_ x: Int) -> Int { x * x }
@Sendable func radians(_ degrees: Double) -> Double { degrees * .pi / 180 }
@Sendable func degrees(_ radians: Double) -> Double { radians * 180 / .pi }

enum PapySnippets {
  static func maps(_ pool: WorkerPool) async throws -> [[Int]] {
    let input = [1, 2, 3, 4]
    let output = input.map(power)

    let lazily = input.lazy.map(power)
    let first = lazily.first

    let outputs = try await pool.map(input) { power($0) }
    var ordered = pool.outputs(of: input) { power($0) }.makeAsyncIterator()
    let second = try await ordered.next()
    for try await output in pool.outputs(of: input, order: .completion, { power($0) }) { print(output) }

    return [output, [first!], outputs, [second!]]
  }

  static func nested(_ pool: WorkerPool) async throws -> [[Double]] {
    let serial = [1.0, 2.0, 3.0].map(radians).map(degrees)

    let chained = Pipeline { Items([1.0, 2.0, 3.0]) }.map(radians).map(degrees)
    let there = try await chained.list(on: pool)

    return [serial, there]
  }

  static func strides() async throws -> [Double] {
    try await withWorkerPool(.processes(2)) { pool in
      let loom = try StridedMap(on: pool)
      let output = try loom.add([1.0, 2.0, 3.0, 4.0]) { radians($0) }
      let result = try loom.add(output) { degrees($0) }
      var found: [Double] = []
      for try await degrees in result { found.append(degrees) }
      return found
    }
  }

  static func memory(_ pool: WorkerPool) async throws -> [Int] {
    let loom = try StridedMap(on: pool, stride: 3, buffer: 6)
    let output0 = try loom.add(0..<100) { $0 }
    let output1 = try loom.add(0..<100) { $0 + 1_000 }

    var found: [Int] = []
    for _ in 0..<3 {
      for _ in 0..<3 { found.append(try await output0.next()!) }
      for _ in 0..<3 { found.append(try await output1.next()!) }
    }
    loom.stop()
    return found
  }

  static func composition() async throws -> ([Int], [Int]) {
    let double = Pipeline<Int, Int>.graph { $0.map { 2 * $0 } }
    let square = Pipeline<Int, Int>.graph { $0.map { $0 * $0 } }
    let first = try await double.through(square).list(of: [3])
    let second = try await square.through(double).list(of: [3])

    return (first, second)
  }

  static func ratios() async throws -> [[Int]] {
    let consuming = Pipeline { Items(1...6) }.batch(2).map { (pair: [Int]) in pair.reduce(0, +) }
    let producing = Pipeline { Items(1...2) }.flatMap { [$0, $0 * 10, $0 * 100] }
    let repeating = Pipeline { Items(1...2) }.flatMap { Array(repeating: $0, count: 3) }

    return [try await consuming.list(), try await producing.list(), try await repeating.list()]
  }

  static func branches() async throws -> [String] {
    let leet = Pipeline<String, String>.graph { words in
      let left = words.map { $0.replacing("e", with: "3") }
      let right = words.map { $0.replacing("o", with: "0") }
      return zip(left, right).map { "\($0) \($1)" }
    }
    let joined = try await leet.list(of: ["hello", "world"])

    return joined
  }

  static func plumber() async throws -> PipelineRun.State {
    let run = try Pipeline { Items(0..<1_000) }.map(power).start()
    run.pause()
    run.resume()
    try await run.stop(.drain)
    return run.state
  }

  static func workflow(_ folder: String, _ message: String) async throws -> [Script.Ports] {
    let workflow: Pipeline<Script.Ports, Script.Ports> = Pipeline {
      Script(id: "sh", ["sh"], "\(folder)/copy.sh", in: ["message"], out: [.init("greeting", "txt")], folder: folder)
    }
    let files = try await workflow.list(of: [["message": message]])

    return files
  }

  static func socket(_ here: Int32, _ there: Int32, _ items: [String]) async throws -> [String] {
    try await Pipeline { Items(items) }.stage(Write(descriptor: there, terminator: "XYZ")).run()
    close(there)
    let received = try await Pipeline { Read(descriptor: here, separator: "XYZ") }.list()

    return received
  }

  static func streams(_ file: String, _ items: [String]) async throws -> [String] {
    try await Pipeline { Items(items) }.write(to: file, terminator: "XYZ").run()
    let again = try await Pipeline { Read(file, separator: "XYZ") }.list()

    return again
  }
}
