/// Collects items, of whatever type, as arrays: so many, or so many bytes; what is left comes at the end.
///
/// With `within:` a batch goes on so long after its first item came, whole or not: a slow input's last items do not wait.
public struct Batched: AnyBatchStage, Hashable {
  /// How many items make a batch; nil: that is not counted.
  public let size: Int?
  /// How many bytes make a batch, of items that are lines (``LineContent``); nil: that is not counted.
  public let bytes: Int?
  /// How long an item waits for others at most; nil: until they come.
  public let duration: Duration?

  /// Batches of so many items.
  public init(_ size: Int = 64, within duration: Duration? = nil) {
    (self.size, bytes, self.duration) = (size, nil, duration)
  }

  /// Batches of no more than so many bytes, and so many items; a larger item is a batch by itself.
  public init(bytes: Int, upTo size: Int? = nil, within duration: Duration? = nil) {
    (self.size, self.bytes, self.duration) = (size, bytes, duration)
  }

  /// For items of a type.
  public func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, [Item]> { pipeline(LineMeasure<Item>()) }

  /// As one whose items have as many bytes as the closure says.
  func pipeline<Item: Sendable>(_ count: @escaping @Sendable (Item) -> Int) -> Pipeline<Item, [Item]> {
    pipeline(ClosureMeasure(count: count))
  }

  private func pipeline<M: BatchMeasure>(_ measure: M) -> Pipeline<M.Item, [M.Item]> {
    if duration == nil { return .stage(Batches(rule: self, measure: measure)) }
    return Pipeline(.gather(Gathering(rule: self, measure: measure)), "Batch")
  }

  func check<M: BatchMeasure>(_ measure: M) throws {
    if let size { try InvalidOption.check("Batched", size, in: 1...Int.max) }
    if let bytes { try InvalidOption.check("Batched(bytes:)", bytes, in: 1...Int.max) }
    if let duration, duration < .zero {
      throw InvalidOption(name: "Batched(within:)", value: duration, allowed: "0 or more")
    }
    if bytes != nil, !M.isAble {
      throw InvalidOption(
        name: "Batched(bytes:)", value: "of \(M.Item.self)",
        allowed: "of lines, as String or [UInt8]; for other items, batch(bytes:of:) is told how many they have")
    }
  }
}

/// How many bytes an item has.
package protocol BatchMeasure<Item>: Sendable {
  associatedtype Item: Sendable
  /// Whether items of the type have any.
  static var isAble: Bool { get }
  func bytes(of item: Item) -> Int
}

struct LineMeasure<Item: Sendable>: BatchMeasure {
  static var isAble: Bool { Item.self is any LineContent.Type }
  func bytes(of item: Item) -> Int { (item as? any LineContent)?.byteCount ?? 0 }
}

struct ClosureMeasure<Item: Sendable>: BatchMeasure {
  static var isAble: Bool { true }
  let count: @Sendable (Item) -> Int
  func bytes(of item: Item) -> Int { max(0, count(item)) }
}

/// A batch that grows.
struct GrowingBatch<Item: Sendable>: Sendable {
  private(set) var items: [Item] = []
  private var bytes = 0

  /// What is whole when the item comes: what was there, if it would be too much with it; and what is there then, if it is enough.
  mutating func take(_ item: Item, _ rule: Batched, _ measure: some BatchMeasure<Item>) -> [[Item]] {
    var whole: [[Item]] = []
    let size = rule.bytes == nil ? 0 : measure.bytes(of: item)
    if let limit = rule.bytes, !items.isEmpty, size > limit - bytes { whole.append(takeAll()) }
    items.append(item)
    bytes = size > .max - bytes ? .max : bytes + size
    if items.count >= rule.size ?? .max || bytes >= rule.bytes ?? .max { whole.append(takeAll()) }
    return whole
  }

  mutating func takeAll() -> [Item] {
    defer { (items, bytes) = ([], 0) }
    return items
  }
}

/// ``Batched`` for items of a type.
struct Batches<M: BatchMeasure>: Stage, CheckedStage, NamedStage, GatheringStage {
  let rule: Batched
  let measure: M
  var name: String { "Batch" }

  struct State {
    fileprivate var batch = GrowingBatch<M.Item>()
    /// That of each of the items, if they have any.
    fileprivate var metas: [Meta] = []

    fileprivate mutating func takeMetas(_ count: Int) -> Meta {
      guard !metas.isEmpty else { return Meta() }
      defer { metas.removeFirst(count) }
      return Meta(parts: Array(metas.prefix(count)))
    }
  }

  func check() throws { try rule.check(measure) }

  func setUp(_ context: StageContext, _ out: Outlet<[M.Item]>) -> State { State() }

  func process(_ item: M.Item, state: inout State, _ out: Outlet<[M.Item]>) async throws {
    if out.carriesMeta { state.metas.append(out.meta) }
    for whole in state.batch.take(item, rule, measure) {
      try await out.put(whole, meta: state.takeMetas(whole.count))
    }
  }

  func tearDown(_ state: consuming State, _ out: Outlet<[M.Item]>) async throws {
    let rest = state.batch.takeAll()
    if !rest.isEmpty { try await out.put(rest, meta: state.takeMetas(rest.count)) }
  }
}
