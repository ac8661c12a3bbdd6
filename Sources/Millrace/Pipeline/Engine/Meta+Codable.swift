import MillraceIPC

// On its way to a worker process and back: each key as a reference to its type, each value as values travel.
extension Meta: Codable {
  private struct Form: Codable {
    var keys: [[UInt8]]
    var values: [[UInt8]]
    var parts: [Meta]
    var timings: [Timing]
  }

  /// For those who send items elsewhere. Throws for a value that cannot travel, and names its key.
  public func encode(to encoder: any Encoder) throws {
    var form = Form(keys: [], values: [], parts: parts, timings: timings)
    try forEach { key, value in
      let (reference, bytes) = try Self.encoded(key, value)
      form.keys.append(reference)
      form.values.append(bytes)
    }
    var container = encoder.singleValueContainer()
    try container.encode(form)
  }

  /// What was encoded by a process of the same program.
  public init(from decoder: any Decoder) throws {
    let form = try decoder.singleValueContainer().decode(Form.self)
    self.init(parts: form.parts)
    timings = form.timings
    for (reference, bytes) in zip(form.keys, form.values) {
      guard let key = TypeReference(bytes: reference).resolve() as? any MetaKey.Type else {
        throw WorkerPoolError(.notTransportable, "a key of an item's meta is not known in this process")
      }
      try decode(key, bytes)
    }
  }

  private mutating func decode<Key: MetaKey>(_ key: Key.Type, _ bytes: [UInt8]) throws {
    let coding = try Payload.coding(for: Key.Value.self, standIn: RemoteError.self)
    self[key] = try bytes.withUnsafeBytes { try coding.decode(from: $0) }
  }

  private static func encoded<Key: MetaKey>(_ key: Key.Type, _ value: any Sendable) throws -> ([UInt8], [UInt8]) {
    guard let reference = TypeReference(key) else {
      throw WorkerPoolError(
        .notTransportable, "the key \(readableTypeName(key)) of an item's meta cannot be found by a worker process")
    }
    var writer = ByteWriter()
    do {
      try Payload.coding(for: Key.Value.self, standIn: RemoteError.self).encode(value as! Key.Value, into: &writer)
    } catch {
      throw WorkerPoolError(
        .notTransportable, "what an item's meta has under \(readableTypeName(key)) cannot be sent to a worker process",
        underlying: error.forUsers)
    }
    return (reference.bytes, [UInt8](writer.bytes))
  }
}
