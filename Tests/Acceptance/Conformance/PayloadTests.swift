import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

private struct Echo<Value: Codable & Sendable>: StatelessWorker {
  func process(_ item: Value) -> Value { item }
}

/// A worker of its own for each type: generic types that are private cannot be found by a fresh process.
struct EchoBytes: StatelessWorker {
  func process(_ item: [UInt8]) -> [UInt8] { item }
}

struct EchoString: StatelessWorker {
  func process(_ item: String) -> String { item }
}

struct EchoData: StatelessWorker {
  func process(_ item: Data) -> Data { item }
}

struct EchoRecord: StatelessWorker {
  func process(_ item: Record) -> Record { item }
}

struct Record: Codable, Hashable, Sendable {
  enum Kind: String, Codable { case wheel, race }
  var name: String
  var note: String?
  var kind: Kind?
  var weights: [Double?]
  var tags: [String: [Int]]
  var parent: [Record]?
  var date: Date
}

/// Neither Codable nor bitwise-copyable.
struct Plain: Hashable, Sendable {
  var name: String
  var weights: [Double?]
  var kind: Record.Kind?
}

struct SplitPlain: StatelessWorker {
  let separator: String
  func process(_ item: Plain) -> [(part: String, of: Plain)] {
    item.name.components(separatedBy: separator).map { ($0, item) }
  }
}

/// `Codable` would leave something out.
struct Counted: Codable, Hashable, MemberwiseTransport {
  enum CodingKeys: CodingKey { case text }
  var text: String
  var count = 0
}

struct Count: StatelessWorker {
  func process(_ item: Counted) -> [Counted] {
    [item, Counted(text: item.text, count: item.count + item.text.count)]
  }
}

#if os(Linux)
/// The sizes of the pieces of shared memory that this process has from the pool for large items.
struct ListSegments: StatelessWorker {
  func process(_ item: [UInt8]) -> [Int] {
    // Whoever reads a segment has one view of its data, which cannot be written.
    let maps = ProcFS.text(of: "/proc/self/maps") ?? ""
    let segments = maps.split(separator: "\n").filter { $0.contains("memfd:millrace-segment") && $0.contains(" r--s ") }
    return segments.map { line in
      let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { Int($0, radix: 16) }
      return ends[1] - ends[0]
    }
  }
}
#endif

/// Not `Codable`, with a bit of everything that is not.
enum Finding: Hashable, Sendable {
  case nothing
  case word(Substring, at: Int)
  case letters([Character])
  case failed(Result<Plain, Trouble>)
  indirect case boxed([Substring: Int], String?)
}

enum Trouble: Error, Hashable { case none, some(String) }

struct EchoFinding: StatelessWorker {
  func process(_ item: (Finding?, Result<Substring, Trouble>)) -> [(Finding?, Character)] {
    [(item.0, (try? item.1.get())?.first ?? "-")]
  }
}

struct Fails: StatelessWorker {
  func process(_ item: Int) -> Result<Int, any Error> {
    item == 0 ? .success(0) : .failure([SimpleTrouble.second, Odd()][item % 2])
  }
}

enum SimpleTrouble: Error { case first, second }
final class Odd: Error {}

/// Bitwise-copyable, and rounded by its own coding.
struct Rounded: Codable, Hashable, Sendable {
  var value: Double

  init(_ value: Double) { self.value = value }
  init(from decoder: any Decoder) throws { value = try decoder.singleValueContainer().decode(Double.self) }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(value.rounded())
  }
}

struct AddRounded: StatelessWorker, Codable {
  var summand: Rounded
  func process(_ item: Rounded) -> [Rounded] { [Rounded(item.value + summand.value + 0.25)] }
}

class Vessel: Codable, @unchecked Sendable { var name = "vessel" }
final class Barge: Vessel, @unchecked Sendable { var load = 3 }

struct EchoVessel: StatelessWorker {
  func process(_ item: Vessel) -> String { item.name }
}

struct MakeVessel: StatelessWorker {
  func process(_ item: Int) -> [Vessel] { [item == 1 ? Barge() : Vessel()] }
}

/// Not Codable, with a property that is an object.
struct Moored: Sendable { var vessel: Vessel, place = "quay" }

struct Unmoor: StatelessWorker {
  func process(_ item: Moored) -> Moored { Moored(vessel: item.vessel, place: item.vessel.name) }
}

struct Uncopied: ~Copyable {}
struct Marked<T: ~Copyable>: Sendable { var number = 1 }
struct EchoOf<Value: Sendable>: StatelessWorker {
  func process(_ item: Int) -> Int { item }
}

private final class Token: Sendable {}

private struct Unsendable: Sendable {
  let token = Token()
}

private struct TakesUnsendable: StatelessWorker {
  func process(_ item: Unsendable) -> Int { 1 }
}

private struct GivesUnsendable: StatelessWorker {
  func process(_ item: Int) -> [Unsendable] { [] }
}

private struct HoldsToken: StatelessWorker {
  let text: String
  let token = Token()
  func process(_ item: Int) -> String { text }
}

/// Properties of no size between others: they lie anywhere.
private struct WithNothing: Sendable {
  var number: Int
  var nothing: Void = ()
  var text: String
  var neither: Never?
}

extension Checked {
  /// What goes to workers and comes back.
  @Suite struct Payloads {
    @Test("bytes of every size", arguments: Backends.Conforming.everything + Backends.remote)
    func bytes(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let sizes = [0, 1, 7, 8, 4_095, 65_536, 262_144, 1 << 20, 3 << 20]
        let items = sizes.map { size in
          var bytes = [UInt8](repeating: 170, count: size)
          if size > 0 { bytes[size / 2] = UInt8(truncatingIfNeeded: size) }
          return bytes
        }
        for chunking in [MapOptions.Chunking.size(1), .size(9)] {
          let outputs = try await pool.map(items, with: EchoBytes(), options: MapOptions(chunking: chunking))
          #expect(outputs.map(\.count) == sizes && zip(outputs, items).allSatisfy(isEqual))
        }
      }
    }

    @Test("100 MiB each way", arguments: [WorkerPool.Backend.processes(1), Backends.forking].runnable)
    func large(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let item = [UInt8](repeating: 7, count: 100 << 20)
        let output = try await pool.run(item, with: EchoBytes())
        #expect(isEqual(output, item))
      }
    }

    #if os(Linux)
    /// The workers are out of step all the time, and what waits for one is taken back for the other.
    @Test(
      "the memory of items is used again", arguments: [WorkerPool.Backend.processes(2), Backends.spawning].runnable)
    func segmentsAreRecycled(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let items = (0..<1_000).lazy.map { [UInt8](repeating: 0, count: 100_000 + $0 % 3 * 10_000) }
        let lists = pool.outputs(
          of: items, with: ListSegments(), order: .completion, options: MapOptions(chunking: .size(1)))
        var most = 0
        for try await sizes in lists { most = max(most, sizes.count) }
        #expect((1...8).contains(most))
      }
    }

    @Test("memory that is not kept is given back by both sides", arguments: [WorkerPool.Backend.processes(1)].runnable)
    func segmentsAreRetired(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        var largest: [Int] = []
        for size in [257 << 20, 1 << 20, 1 << 20, 1 << 20] {
          largest.append(try await pool.run([UInt8](repeating: 0, count: size), with: ListSegments()).max() ?? 0)
        }
        // The worker has given the large segment back when it takes the second item, hence it is dropped with the third, and
        // the worker hears of it before the fourth.
        #expect(largest[0] > 257 << 20 && (1 << 20..<8 << 20).contains(largest[3]))
      }
    }
    #endif

    /// As `==`, which takes its time over bytes in a debug build.
    private func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool { Data(left) == Data(right) }

    @Test("strings, data and records", arguments: Backends.Conforming.everything.able(.runsClosures))
    func values(backend: WorkerPool.Backend) async throws {
      let strings = ["", "a", "Mühlgraben 水車 🎡", String(repeating: "wheel ", count: 100_000)]
      let child = Record(name: "", note: nil, kind: nil, weights: [], tags: [:], parent: nil, date: .distantPast)
      let record = Record(
        name: "Mill", note: "old", kind: .wheel, weights: [1, nil, .infinity], tags: ["a": [1, 2], "b": []],
        parent: [child], date: Date(timeIntervalSince1970: 1_000))
      try await withWorkerPool(backend) { pool in
        #expect(try await pool.map(strings, with: EchoString()) == strings)
        let data = strings.map { Data($0.utf8) }
        #expect(try await pool.map(data, with: EchoData()) == data)
        let records = (0..<40).map { $0 % 2 == 0 ? record : child }
        #expect(try await pool.map(records, with: EchoRecord(), options: MapOptions(chunking: .size(7))) == records)
        let pairs = try await pool.map(0..<20) { $0 % 3 == 0 ? nil : $0 }
        #expect(pairs == (0..<20).map { $0 % 3 == 0 ? nil : $0 })
      }
    }

    @Test("structures that are not Codable, and tuples", arguments: Backends.Conforming.everything.able(.runsClosures))
    func plain(backend: WorkerPool.Backend) async throws {
      let plain = Plain(name: "mill-race-wheel", weights: [1, nil], kind: .wheel)
      let single = Plain(name: "", weights: [], kind: nil)
      try await withWorkerPool(backend) { pool in
        let items = (0..<50).map { $0 % 2 == 0 ? plain : single }
        let parts = try await pool.map(items, with: SplitPlain(separator: "-"), options: MapOptions(chunking: .size(7)))
        #expect(parts.map { $0.map(\.part) } == (0..<50).map { $0 % 2 == 0 ? ["mill", "race", "wheel"] : [""] })
        #expect(zip(parts, items).allSatisfy { parts, item in parts.allSatisfy { $0.of == item } })
        let pairs = try await pool.map(items) { ($0.name.count, $0) }
        #expect(pairs.map(\.0) == items.map(\.name.count) && pairs.map(\.1) == items)
        let empties = try await pool.map(0..<3) { WithNothing(number: $0, text: "\($0)") }
        #expect(empties.map(\.number) == [0, 1, 2] && empties.map(\.text) == ["0", "1", "2"])
        let counted = try await pool.map([Counted(text: "mill", count: 1)], with: Count())
        #expect(counted == [[Counted(text: "mill", count: 1), Counted(text: "mill", count: 5)]])
      }
    }

    @Test(
      "U24: enumerations, results, substrings and characters",
      arguments: Backends.Conforming.everything.able(.runsClosures))
    func enumerations(backend: WorkerPool.Backend) async throws {
      let text = "mill race wheel"
      let plain = Plain(name: "a", weights: [nil], kind: .race)
      let findings: [Finding?] = [
        .nothing, .word(text.split(separator: " ")[1], at: 1), .letters(["é", "水"]), .failed(.success(plain)), nil,
        .failed(.failure(.some("text"))), .boxed([text[...]: 1], nil),
      ]
      try await withWorkerPool(backend) { pool in
        let items = (findings + findings).map { ($0, Result<Substring, Trouble>.success(text.suffix(5))) }
        let outputs = try await pool.map(items, with: EchoFinding(), options: MapOptions(chunking: .size(3)))
        #expect(outputs.map { $0[0].0 } == findings + findings && outputs.allSatisfy { $0[0].1 == "w" })
        #expect(try await pool.map(text.split(separator: " ")) { $0.first } == ["m", "r", "w"])
        #expect(try await pool.map(Array("mill")) { Character($0.uppercased()) } == ["M", "I", "L", "L"])
        let words = try await pool.map(0..<2) { $0 == 0 ? nil : text.prefix(4) }
        #expect(words == [nil, "mill"])
        let results = try await pool.map(0..<3, with: Fails())
        #expect(try results[0].get() == 0)
        #expect(throws: SimpleTrouble.second) { try results[2].get() }
        let odd = try #require(throws: (any Error).self) { try results[1].get() }
        #expect(odd is Odd || (odd as? RemoteError)?.typeName.hasSuffix("Odd") == true)
      }
    }

    @Test("U7: Codable is asked though the bytes would do", arguments: Backends.isolating)
    func ownCoding(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let outputs = try await pool.map([Rounded(1.4), Rounded(1.6)], with: AddRounded(summand: Rounded(9)))
        #expect(outputs == [[Rounded(10)], [Rounded(11)]])
      }
    }

    @Test("U24: an object that would arrive as its superclass costs its item, by name", arguments: Backends.isolating)
    func sliced(backend: WorkerPool.Backend) async throws {
      func failures<S: AsyncSequence, Input, Output>(_ outcomes: S) async throws -> [Int: String]
      where S.Element == Outcome<Input, Output> {
        var found: [Int: String] = [:]
        for try await outcome in outcomes {
          if case .failure(let failure) = outcome.result { found[outcome.index] = "\(failure)" }
        }
        return found
      }
      try await withWorkerPool(backend) { pool async throws in
        let inputs = try await failures(pool.outcomes(of: [Vessel(), Barge(), Vessel()], with: EchoVessel()))
        #expect(inputs.keys.sorted() == [1] && inputs[1]?.contains("Barge") == true)
        #expect(inputs[1]?.contains("Vessel, the class that is declared") == true, "\(inputs)")
        let outputs = try await failures(pool.outcomes(of: 0..<3, with: MakeVessel()))
        #expect(outputs.keys.sorted() == [1] && outputs[1]?.contains("Barge") == true, "\(outputs)")
        let moored = try await pool.map([Moored(vessel: Vessel()), Moored(vessel: Vessel())], with: Unmoor())
        #expect(moored.map(\.place) == ["vessel", "vessel"])
      }
    }

    @Test("U24: generic types over what cannot be copied are refused for what they are", .forks)
    func uncopied() async throws {
      try await withWorkerPool(.processes(1)) { pool async throws in
        let error = try await #require(throws: WorkerPoolError.self) {
          _ = try await pool.map([1], with: EchoOf<Marked<Uncopied>>())
        }
        #expect(error.kind == .notTransportable && error.message.contains("~Copyable"))
        #expect(try await pool.map([1], with: EchoOf<Marked<Int>>()) == [1])
      }
      try await withWorkerPool(Backends.forking) { pool async throws in
        #expect(try await pool.map([1], with: EchoOf<Marked<Uncopied>>()) == [1])
      }
    }

    @Test("more items than a ring holds, with nothing in them", arguments: Backends.isolating)
    func empty(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let outputs: [Void] = try await pool.map(repeatElement((), count: 50_000)) { _ in () }
        #expect(outputs.count == 50_000)
      }
    }

    @Test("what cannot be sent is named", arguments: [WorkerPool.Backend.processes(1), Backends.spawning].runnable)
    func notTransportable(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        func refusal(_ body: () async throws -> Void) async throws -> String {
          let error = try await #require(throws: WorkerPoolError.self) { try await body() }
          #expect(error.kind == .notTransportable)
          return "\(error)"
        }
        let input = try await refusal { _ = try await pool.map([Unsendable()], with: TakesUnsendable()) }
        #expect(input.contains("TakesUnsendable") && input.contains("property token"))
        let output = try await refusal { _ = try await pool.map([1], with: GivesUnsendable()) }
        #expect(output.contains("GivesUnsendable") && output.contains("Unsendable"))
        let worker = try await refusal { _ = try await pool.map([1], with: HoldsToken(text: "x")) }
        #expect(worker.contains("HoldsToken") && worker.contains("property token"))
        let local = try await refusal { _ = try await pool.map([1], with: Echo<Int>()) }
        #expect(local.contains("Echo<"))
        let closure = try await refusal { _ = try await pool.map([1]) { _ in Unsendable() } }
        #expect(closure.contains("Unsendable"))
        #expect(try await pool.map([1], with: AddOne()) == [2])
      }
    }

    @Test("a forked worker needs no configuration that could be sent", .forks)
    func forked() async throws {
      try await withWorkerPool(Backends.forking) { pool async throws in
        #expect(try await pool.map(0..<3, with: HoldsToken(text: "x")) == ["x", "x", "x"])
        #expect(try await pool.map(0..<3, with: Echo<Int>()) == [0, 1, 2])
      }
    }
  }
}
