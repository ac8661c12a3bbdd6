import MillraceIPC

/// An item with its meta: what travels in a pipeline of which a stage sets any, or times itself. In others items go alone.
package struct Tagged<Item: Sendable>: Sendable {
  var item: Item
  var meta = Meta()
}

protocol TaggedValue: Sendable {
  var value: any Sendable { get }
  var meta: Meta { get }
}

extension Tagged: TaggedValue {
  var value: any Sendable { item }
}

extension ItemFailure {
  /// That of the item that failed; nothing where items have none.
  var metaOfInput: Meta { (input as? any TaggedValue)?.meta ?? Meta() }
}

extension ItemKind {
  /// That of its items with meta.
  var tagged: any ItemKind { ItemsOf<Tagged<Item>>() }

  /// A joiner of items with meta: of what several branches say, the earlier one's word holds.
  func taggedJoiner(_ join: @escaping @Sendable ([any Sendable]) -> any Sendable)
    -> @Sendable ([any Sendable]) -> any Sendable
  {
    { values in
      let parts = values.map { $0 as! any TaggedValue }
      var meta = parts[0].meta
      for part in parts.dropFirst() { meta.merge(part.meta) }
      return Tagged(item: join(parts.map(\.value)) as! Item, meta: meta)
    }
  }
}

/// What comes into a pipeline with an open input.
@usableFromInline
struct PipelineInput: Sendable {
  /// An `ItemSource` of its items.
  let plain: @Sendable () -> Any
  /// One of its items with meta.
  let tagged: @Sendable () -> Any

  @usableFromInline
  init(plain: @escaping @Sendable () -> Any, tagged: @escaping @Sendable () -> Any) {
    self.plain = plain
    self.tagged = tagged
  }

  /// For a reader who knows of no meta.
  var asTagged: PipelineInput { PipelineInput(plain: tagged, tagged: tagged) }

  /// Compiled where the sequence's type is known: reading an item is a few instructions then, and some calls and looks at tables
  /// where it is not.
  @inlinable
  init<S: Sequence & Sendable>(_ items: S) where S.Element: Sendable {
    self.init(plain: { ItemSource(items) }, tagged: { Self.tagged(items) })
  }

  @usableFromInline
  static func tagged<S: Sequence & Sendable>(_ items: S) -> Any where S.Element: Sendable {
    ItemSource<Tagged<S.Element>>(count: knownCount(items), place(of: S.self, from: nil)) {
      Pull(items.lazy.map { Tagged(item: $0) })
    }
  }

  /// What waits in a side channel.
  init<Item>(source items: SideItems<Item>) {
    plain = { ItemSource(SideSource(items: items)) }
    tagged = {
      ItemSource(TaggedSource(source: SideSource(items: items), tagging: Tagging(stage: "in", isTimed: false)))
    }
  }

  init<S: AsyncSequence & Sendable>(_ items: S) where S.Element: Sendable {
    plain = { ItemSource(items) }
    tagged = { ItemSource(items.map { Tagged(item: $0) }) }
  }
}

extension OutputBuffer {
  /// The items of a run alone.
  static func untagged(_ items: OutputStore, _ offset: Int, _ count: Int) -> OutputBuffer<Output>
  where Output: Sendable {
    let tagged = unsafeDowncast(items, to: OutputBuffer<Tagged<Output>>.self)
    return OutputBuffer((0..<count).map { tagged[offset: offset + $0].item })
  }
}
