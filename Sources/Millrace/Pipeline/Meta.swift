/// What something that travels beside items is called, and its type.
///
/// ```swift
/// enum FileName: MetaKey { typealias Value = String }
/// ```
public protocol MetaKey: SendableMetatype {
  /// What is kept under the key. On worker processes it has to travel as items do.
  associatedtype Value: Sendable
}

/// What travels beside an item through a pipeline: the name of the file that it comes from, the time at which it was read.
///
/// A ``Source`` or ``Stage`` with `setsMeta` gives it with a `put`; ``current`` has it wherever code of a stage works on the item.
/// What a stage makes of an item has the item's; branches have copies; a row of a zip has that of all its branches, of which the
/// earlier wins; a batch has that of each of its items, in ``parts``.
public struct Meta: Sendable {
  /// How long a stage has worked on an item.
  public struct Timing: Sendable, Hashable, Codable {
    /// The stage's name, as in the layout.
    public let stage: String
    /// How long: of a stage that puts, until it put this.
    public let duration: Duration
  }

  private struct Entry: Sendable {
    let key: any MetaKey.Type
    var value: any Sendable
  }
  private var entries: [Entry] = []
  /// Of a batch that of each of its items, in their order.
  public var parts: [Meta] = []
  /// How long each stage that was asked to say so (``StageOptions/recordsTimings``) has worked on the item, in the order of the
  /// data.
  public internal(set) var timings: [Timing] = []

  /// Nothing.
  public init() {}

  /// That of a batch.
  public init(parts: [Meta]) { self.parts = parts }

  /// That of the item that the stage whose code is running works on; nothing outside of stages, and where no stage sets any.
  public static var current: Meta { here }

  @TaskLocal static var here = Meta()

  /// What is kept under a key.
  public subscript<Key: MetaKey>(key: Key.Type) -> Key.Value? {
    get { entries.first { $0.key == key }?.value as! Key.Value? }
    set {
      let place = entries.firstIndex { $0.key == key }
      switch (newValue, place) {
      case (nil, nil): break
      case (nil, let place?): entries.remove(at: place)
      case (let value?, nil): entries.append(Entry(key: key, value: value))
      case (let value?, let place?): entries[place].value = value
      }
    }
  }

  /// Whether there is nothing.
  public var isEmpty: Bool { entries.isEmpty && parts.isEmpty && timings.isEmpty }

  /// Takes over what the other has and this one has not.
  public mutating func merge(_ other: Meta) {
    for entry in other.entries where !entries.contains(where: { $0.key == entry.key }) { entries.append(entry) }
    if parts.isEmpty { parts = other.parts }
    for timing in other.timings where !timings.contains(where: { $0.stage == timing.stage }) { timings.append(timing) }
  }

  /// Each key, with its value.
  func forEach(_ body: (any MetaKey.Type, any Sendable) throws -> Void) rethrows {
    for entry in entries { try body(entry.key, entry.value) }
  }

  mutating func note(_ stage: String, _ duration: Duration) {
    timings.append(Timing(stage: stage, duration: duration))
  }
}
