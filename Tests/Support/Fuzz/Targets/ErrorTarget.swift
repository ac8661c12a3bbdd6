import Foundation
import MillraceIPC

/// Errors that workers throw.
struct ErrorTarget: FuzzTarget {
  let name = "error"

  enum Simple: Error { case first, second, third }
  enum Lonely: Error { case only }
  struct Empty: Error {}
  struct Full: Error, Codable {
    var code: Int
    var text: String
    var underlying: [String]
  }
  enum Loaded: Error, Codable { case none, text(String), number(Int8) }
  struct Generic<T: Codable & Sendable>: Error, Codable { var value: T }

  func valid(_ random: inout FuzzRandom) throws -> [[UInt8]] {
    let error: any Error =
      switch random.below(9) {
      case 0: Simple.second
      case 1: Lonely.only
      case 2: Empty()
      case 3: Full(code: random.number(), text: random.text(upTo: 90), underlying: [random.text(upTo: 3)])
      case 4: Loaded.text(random.text(upTo: 20))
      case 5: Generic(value: random.number())
      case 6: Generic(value: [random.text(upTo: 4): [random.chance(50)]])
      case 7: DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: random.text(upTo: 20)))
      default: CocoaError(.fileNoSuchFile)
      }
    var writer = ByteWriter()
    try WireError(error).encode(into: &writer)
    return [Array(writer.bytes)]
  }

  func read(_ bytes: [UInt8]) throws {
    let error = try bytes.withUnsafeBytes { try WireError.decode(from: $0) }
    if let value = error.value { _ = "\(value) \(readableTypeName(type(of: value)))" }
    var writer = ByteWriter()
    try promised("what was decoded") { try error.encode(into: &writer) }
    let again = try promised("what was encoded") { try WireError.decode(from: writer.bytes) }
    try promise(again.description == error.description && again.typeName == error.typeName, "its texts have changed")
  }
}

/// The names of types, as workers and errors are announced by them.
struct TypeTarget: FuzzTarget {
  let name = "type"

  private struct Hidden {}
  private static let types: [Any.Type] = [
    Int.self, [String: [Int?]].self, ErrorTarget.Full.self, ErrorTarget.Generic<[Int]>.self, Hidden.self, Tree.self,
    (any Error).self, ((Int) -> String).self, Result<Int, any Error>.self, CocoaError.self, (Int, Double).self,
    Anything.Choice.self, Dictionary<String, Set<Int>>.Index.self, Range<Int>.self, Tree.Type.self,
  ]

  func valid(_ random: inout FuzzRandom) throws -> [[UInt8]] {
    guard let reference = TypeReference(random.one(of: Self.types)) else { return [] }
    let middle = random.below(reference.bytes.count)
    return [Array(reference.bytes[..<middle]), Array(reference.bytes[middle...])]
  }

  func read(_ bytes: [UInt8]) throws {
    guard let type = TypeReference(bytes: bytes).resolve() else { throw Refusal() }
    _ = String(reflecting: type)
    try promise(TypeReference(type)?.resolve() == type, "\(type) is not found again")
  }
}
