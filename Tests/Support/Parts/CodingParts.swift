import MillraceIPC

/// Eleven shapes of value, on their way to bytes and back, as items travel between processes.
enum CodingParts {
  static let all: [(name: String, run: Parts.Part)] =
    parts("int", 17)
    + parts("doubles_100", [Double](repeating: 0.125, count: 100))
    + parts("string", "a text that is long enough to be on the heap")
    + parts("strings_10", [String](repeating: "a text that is long enough", count: 10))
    + parts("struct", Reading())
    + parts("memberwise_struct", PlainReading())
    + parts("nested_struct", Report())
    + parts("enum", Event.failed(reason: "no answer within a minute", code: 7))
    + parts("dictionary_10", Dictionary(uniqueKeysWithValues: (0..<10).map { ("the key number \($0)", $0) }))
    + parts("optionals", Person())
    + parts("bytes_1000", [UInt8](repeating: 7, count: 1_000))

  private static func parts<S: Shape & Sendable>(_ name: String, _ value: S) -> [(name: String, run: Parts.Part)] {
    [
      ("encode." + name, { try encode(value, $0) }),
      ("decode." + name, { try decode(value, $0) }),
    ]
  }

  private static func encode<S: Shape>(_ value: S, _ times: Int) throws -> Int {
    let coding = try Payload.coding(for: S.self)
    var writer = ByteWriter()
    var weight = 0
    for _ in 0..<times {
      writer.removeAll()
      try coding.encode(value, into: &writer)
      weight &+= writer.count
    }
    return weight
  }

  private static func decode<S: Shape>(_ value: S, _ times: Int) throws -> Int {
    let coding = try Payload.coding(for: S.self)
    var writer = ByteWriter()
    try coding.encode(value, into: &writer)
    var weight = 0
    for _ in 0..<times { weight &+= try coding.decode(from: writer.bytes).weight }
    return weight
  }
}
