import AllocationMeter

/// One input of one target, made of a seed.
package struct FuzzCase: Sendable {
  package let target: any FuzzTarget
  package let bytes: [UInt8]
  /// Whether nothing was changed: then it must be accepted.
  package let isValid: Bool

  package init(_ target: any FuzzTarget, seed: UInt64) throws {
    self.target = target
    var random = FuzzRandom(seed: seed)
    let pieces = try target.valid(&random)
    isValid = random.below(16) == 0
    bytes = isValid ? Array(pieces.joined()) : Mutator.mutated(pieces, other: try target.valid(&random), &random)
  }

  /// An input that was found before.
  package init(_ target: any FuzzTarget, bytes: [UInt8]) {
    self.target = target
    self.bytes = bytes
    isValid = false
  }

  package var hex: String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

  /// Gives the input to its reader; whether it was accepted.
  ///
  /// - Throws: ``FuzzProblem`` if a promise was broken.
  @discardableResult
  package func run() throws -> Bool {
    allocation_meter_start()
    let result = Result { try target.read(bytes) }
    var largest = 0
    var total = 0
    allocation_meter_read(&largest, &total)
    try promise(largest <= (256 << 10) + 64 * bytes.count, "\(bytes.count) bytes led to an allocation of \(largest)")
    try promise(total <= (16 << 20) + 4_096 * bytes.count, "\(bytes.count) bytes led to allocations of \(total)")
    switch result {
    case .success: return true
    case .failure(let problem as FuzzProblem): throw problem
    case .failure(let error):
      try promise(isRefusal(error), "refused by \(type(of: error)): \(error)")
      try promise(!isValid, "valid input was refused: \(error)")
      return false
    }
  }
}

extension FuzzCase {
  /// The bytes of hexadecimal digits, white space and lines that begin with "#" aside; nil if there is something else.
  package static func bytes(hex text: String) -> [UInt8]? {
    let digits = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.joined().filter { !$0.isWhitespace }
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    var rest = Substring(digits)
    while !rest.isEmpty {
      guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    return bytes
  }
}
