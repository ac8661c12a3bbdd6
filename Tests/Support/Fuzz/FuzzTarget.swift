import MillraceIPC
import Millrace

/// Something that reads what another process wrote.
package protocol FuzzTarget: Sendable {
  var name: String { get }

  /// Input as the other side would write it, in pieces that travel as one.
  func valid(_ random: inout FuzzRandom) throws -> [[UInt8]]

  /// Reads any input.
  ///
  /// - Throws: ``FuzzProblem`` if a promise was broken; the reader's own error if it refused the input.
  func read(_ bytes: [UInt8]) throws
}

/// A promise was broken.
package struct FuzzProblem: Error, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

func promise(_ isKept: Bool, _ text: @autoclosure () -> String) throws {
  if !isKept { throw FuzzProblem(text()) }
}

/// All of them.
package enum FuzzTargets {
  package static let all: [any FuzzTarget] = [
    ValueTarget(), PayloadTarget(), ErrorTarget(), TypeTarget(), FrameTarget(), LaneTarget(), PageTarget(),
    SegmentTarget(), ControlTarget(), ServerTarget(), OutputTarget(), ChunkTarget(),
  ]

  package static func named(_ name: String) -> (any FuzzTarget)? { all.first { $0.name == name } }
}

/// Whether an error is one with which readers refuse input, and says what was wrong.
func isRefusal(_ error: any Error) -> Bool {
  switch error {
  case let error as ProtocolError: !error.description.isEmpty
  case let error as WireProblem: !error.description.isEmpty
  case let error as PayloadError: !error.description.isEmpty
  case let error as MemoryError: error.code != 0
  case let error as SystemCallError: error.code != 0
  case is Refusal: true
  case DecodingError.dataCorrupted(let context), DecodingError.keyNotFound(_, let context),
    DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
    !context.debugDescription.isEmpty
  default: false
  }
}

/// A reader that returns nil for what it refuses.
struct Refusal: Error {}
