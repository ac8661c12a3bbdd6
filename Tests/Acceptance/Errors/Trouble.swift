import Foundation
import Millrace

/// What can go wrong in a worker, in its set-up, at an item, or at the item's value on its way.
enum Deed: String, Codable, CaseIterable {
  case throwsOwn, throwsCodable, throwsPlain, throwsSwifts
  case traps, exits, isKilled, dawdles, closesDescriptors
  /// Makes a pool inside, and passes on what that says.
  case failsInside, failsInsideCollecting, isRefusedInside, isCannotBeSetUpInside
}

/// Does it where it is told to.
struct Troublesome: Worker, Codable {
  enum Place: String, Codable { case decoding, setUp, item, tearDown }
  var deed: Deed
  var place: Place

  init(_ deed: Deed, at place: Place) { (self.deed, self.place) = (deed, place) }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    deed = try values.decode(Deed.self, forKey: .deed)
    place = try values.decode(Place.self, forKey: .place)
    if place == .decoding { throw Opaque(description: "not decoded") }
  }

  func setUp(_ context: WorkerContext) async throws { if place == .setUp { try await perform() } }

  func process(_ item: Int, state: inout Void) async throws -> Int {
    if place == .item, item == 1 { try await perform() }
    return item
  }

  func tearDown(_ state: Void) async throws -> Int {
    if place == .tearDown { try await perform() }
    return 1
  }

  private func perform() async throws {
    switch deed {
    case .throwsOwn: throw Opaque(description: "own")
    case .throwsCodable: throw Refused(item: 1)
    case .throwsPlain: throw Misfortune.second
    case .throwsSwifts: throw CancellationError()
    case .traps: fatalError("trapped")
    case .exits: exit(3)
    case .isKilled: kill(getpid(), SIGKILL)
    case .dawdles: try await Task.sleep(for: .seconds(60))
    case .closesDescriptors: for number in Int32(3)...8_192 { close(number) }
    case .failsInside: try await inside { _ = try await $0.map([1], with: Picky(modulus: 2, remainder: 1)) }
    case .failsInsideCollecting:
      try await inside { _ = try await $0.map([1], with: Picky(modulus: 2, remainder: 1), onFailure: .collect) }
    case .isRefusedInside: try await inside { try $0.resize(to: -1) }
    case .isCannotBeSetUpInside:
      try await inside { _ = try await $0.map([1], with: Troublesome(.throwsCodable, at: .setUp)) }
    }
  }

  private func inside(_ body: (WorkerPool) async throws -> Void) async throws {
    try await withWorkerPool(.threads(1)) { try await body($0) }
  }
}

enum Misfortune: Error { case first, second }

/// A value that does not get far.
struct Parcel: Codable, Sendable {
  enum Fault: String, Codable, CaseIterable {
    case encodes, decodes, encodesOwn, decodesOwn, decodesBack
  }
  var fault: Fault
  var hasArrived = false

  enum CodingKeys: String, CodingKey { case fault, hasArrived }

  init(_ fault: Fault) { self.fault = fault }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    fault = try values.decode(Fault.self, forKey: .fault)
    switch fault {
    case .decodes: throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "no parcel"))
    case .decodesOwn: throw Opaque(description: "no parcel")
    case .decodesBack where try values.decode(Bool.self, forKey: .hasArrived):
      throw Refused(item: 1)
    default: hasArrived = true
    }
  }

  func encode(to encoder: any Encoder) throws {
    switch fault {
    case .encodes: throw EncodingError.invalidValue(1, .init(codingPath: [], debugDescription: "no parcel"))
    case .encodesOwn: throw Refused(item: 1)
    default: break
    }
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(fault, forKey: .fault)
    try values.encode(hasArrived, forKey: .hasArrived)
  }
}

struct Forward: StatelessWorker, Codable {
  func process(_ parcel: Parcel) -> Parcel { parcel }
}

/// Cannot travel.
final class Anvil: Sendable {}
struct TakesAnvils: StatelessWorker, Codable { func process(_ item: Anvil) -> Int { 1 } }
struct IsAnvil: StatelessWorker {
  var anvil = Anvil()
  func process(_ item: Int) -> Int { item }
}
