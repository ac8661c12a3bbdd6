import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Something happens to a value when it is encoded or decoded, or to its worker at another place.
enum Place: String, Codable, CaseIterable, Sendable {
  case decodeItem, setUp, run, encodeResult, tearDown
}

enum Ending: String, Codable, CaseIterable, Sendable {
  case exit, exitAtOnce, trap, fault, error

  func come() throws {
    switch self {
    case .exit: Foundation.exit(5)
    case .exitAtOnce: _exit(6)
    case .trap: fatalError("the matrix")
    case .fault: _exit(UnsafePointer<Int32>(bitPattern: 0x10)!.pointee)
    case .error: throw Misfortune()
    }
  }
}

/// An item that does harm where it is decoded.
struct Sensitive: Codable, Sendable {
  var number: Int
  /// Without a reference in it, it would travel as its bytes.
  var name = "unlucky"
  var ending: Ending?

  init(number: Int, ending: Ending?) {
    self.number = number
    self.ending = ending
  }

  init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    number = try container.decode(Int.self)
    ending = try container.decode(Ending?.self)
    try ending?.come()
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    try container.encode(number)
    try container.encode(ending)
  }
}

/// An output that does harm where it is encoded.
struct Explosive: Codable, Sendable {
  var number: Int
  /// Without a reference in it, it would travel as its bytes.
  var name = "unlucky"
  var ending: Ending?

  func encode(to encoder: any Encoder) throws {
    try ending?.come()
    var container = encoder.unkeyedContainer()
    try container.encode(number)
  }

  init(number: Int, ending: Ending?) {
    self.number = number
    self.ending = ending
  }

  init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    number = try container.decode(Int.self)
  }
}

struct MatrixWorker: Worker, Codable {
  static let unlucky = 70

  var place: Place
  var ending: Ending

  func setUp(_ context: WorkerContext) throws { if place == .setUp { try ending.come() } }

  func process(_ item: Sensitive, state: inout Void) throws -> Explosive {
    let isUnlucky = item.number == Self.unlucky
    if isUnlucky, place == .run { try ending.come() }
    return Explosive(number: item.number * 2, ending: isUnlucky && place == .encodeResult ? ending : nil)
  }

  func tearDown(_ state: Void) throws { if place == .tearDown { try ending.come() } }
}

extension Faults {
  /// Every ending at every place, in small and large chunks, ordered and not.
  @Suite(.forks) struct CrashMatrix {
    @Test("the crash matrix", arguments: Place.allCases, Ending.allCases)
    func matrix(place: Place, ending: Ending) async throws {
      // Backtraces have tests of their own, and take most of a second each.
      let options = WorkerPool.ProcessOptions(environment: ["SWIFT_BACKTRACE": "enable=no"])
      try await withWorkerPool(.processes(2, options)) { pool async throws in
        for chunk in [1, 64] {
          for order in [MapOptions.Order.input, .completion] {
            try await check(pool, place, ending, MapOptions(chunking: .size(chunk), keepsWorkers: false), order)
          }
        }
        try await expectUsable(pool)
      }
    }

    private func check(
      _ pool: WorkerPool, _ place: Place, _ ending: Ending, _ options: MapOptions, _ order: MapOptions.Order
    ) async throws {
      let items = (0..<128).map { number in
        let isUnlucky = number == MatrixWorker.unlucky && place == .decodeItem
        return Sensitive(number: number, ending: isUnlucky ? ending : nil)
      }
      let worker = MatrixWorker(place: place, ending: ending)
      var seen: Set<Int> = []
      var failed: [ItemFailure] = []
      do {
        for try await outcome in pool.outcomes(of: items, with: worker, order: order, options: options) {
          if order == .input { #expect(outcome.index == seen.count) }
          #expect(seen.insert(outcome.index).inserted)
          switch outcome.result {
          case .success(let output): #expect(output.number == outcome.index * 2)
          case .failure(let failure): failed.append(failure)
          }
        }
      } catch let error as WorkerPoolError {
        #expect(place == .setUp && error.kind == .setUpFailed)
      }
      if place == .setUp {
        // No item is to blame.
        for failure in failed { if case .setUpFailed = failure.cause {} else { Issue.record(failure) } }
        return #expect(failed.count == seen.count)
      }
      #expect(seen.count == 128)
      if place == .tearDown { return #expect(failed.isEmpty) }
      #expect(failed.map(\.index) == [MatrixWorker.unlucky])
      switch (ending, failed.first?.cause) {
      case (.exit, .exited(code: 5)), (.exitAtOnce, .exited(code: 6)): break
      case (.trap, .crashed(let crash)): #expect(crash.kind == .trap)
      case (.fault, .crashed(let crash)): #expect(crash.signal == SIGSEGV)
      case (.error, .threw(let error)): #expect(place == .run && error is Misfortune)
      case (.error, .undecodable): #expect(place != .run)
      default: Issue.record("\(ending) at \(place) came to \(String(describing: failed.first))")
      }
    }
  }
}
