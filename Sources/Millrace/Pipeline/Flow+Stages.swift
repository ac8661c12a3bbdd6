// The built-in stages in chaining form, on flows and on pipelines.

extension Flow {
  /// What an item is turned into, where that is something.
  @inlinable
  public func compactMap<Next: Sendable>(_ body: @escaping @Sendable (Item) async throws -> Next?) -> Flow<Next> {
    stage(CompactMap(body))
  }
  /// The first items, and no more.
  public func take(_ count: Int) -> Flow<Item> { through(Take(count).pipeline(of: Item.self)) }
  /// Sorts among so many items at a time.
  public func sorted(
    within window: Int, by isBefore: @escaping @Sendable (Item, Item) throws -> Bool
  ) -> Flow<Item> { through(.stage(Sort(within: window, by: isBefore))) }
  /// No more than so many items in any span of this length.
  public func throttle(_ count: Int, per span: Duration) -> Flow<Item> {
    through(Throttle(count, per: span).pipeline(of: Item.self))
  }
  /// Prints the number of each item.
  public func stamp(_ text: String = "Processing item") -> Flow<Item> { through(Stamp(text).pipeline(of: Item.self)) }
  /// Each item goes into the other pipeline as well, whose outputs are dropped.
  public func tee<Dropped>(_ other: Pipeline<Item, Dropped>) -> Flow<Item> { through(Tee { other }) }
  /// What this one and others give, as it comes.
  public func merge(_ others: Flow<Item>...) -> Flow<Item> {
    Flow(node: PipelineNode(.merge, "merge", [node] + others.map(\.node), ItemsOf<Item>()))
  }
  /// Each item with one of another flow, as a tuple; it ends with the shorter.
  public func zip<Other>(_ other: Flow<Other>) -> Flow<(Item, Other)> { Millrace.zip(self, other) }
  /// What stands before it has these options: all that its items have come through. A stage that stands before several has those of the first for
  /// itself, and of the others what that does not say.
  public func options(_ options: StageOptions) -> Flow<Item> {
    Flow(node: PipelineNode(.merge, "options", [node], ItemsOf<Item>(), marks: options))
  }
  /// Collects items as arrays: so many, and those that have come in this time.
  public func batch(_ size: Int, within duration: Duration) -> Flow<[Item]> {
    through(Batched(size, within: duration).pipeline(of: Item.self))
  }
  /// Collects items as arrays of no more than so many bytes, as the closure counts them.
  public func batch(
    bytes: Int, upTo size: Int? = nil, within duration: Duration? = nil, of count: @escaping @Sendable (Item) -> Int
  ) -> Flow<[Item]> {
    through(Batched(bytes: bytes, upTo: size, within: duration).pipeline(count))
  }
}

extension Flow where Item: LineContent {
  /// Writes each item to a file, and hands it on.
  public func write(to path: String, _ mode: WriteMode = .replace, terminator: String = "\n") -> Flow<Item> {
    through(.stage(Write(path, mode, as: Item.self, terminator: terminator)))
  }
}

extension Pipeline {
  /// What an item is turned into, where that is something.
  @inlinable
  public func compactMap<Next: Sendable>(
    _ body: @escaping @Sendable (Output) async throws -> Next?
  ) -> Pipeline<Input, Next> { stage(CompactMap(body)) }
  /// The first items, and no more.
  public func take(_ count: Int) -> Pipeline { through(Take(count).pipeline(of: Output.self)) }
  /// Sorts among so many items at a time.
  public func sorted(
    within window: Int, by isBefore: @escaping @Sendable (Output, Output) throws -> Bool
  ) -> Pipeline { through(.stage(Sort(within: window, by: isBefore))) }
  /// No more than so many items in any span of this length.
  public func throttle(_ count: Int, per span: Duration) -> Pipeline {
    through(Throttle(count, per: span).pipeline(of: Output.self))
  }
  /// Prints the number of each item.
  public func stamp(_ text: String = "Processing item") -> Pipeline { through(Stamp(text).pipeline(of: Output.self)) }
  /// Each item goes into the other pipeline as well, whose outputs are dropped.
  public func tee<Dropped>(_ other: Pipeline<Output, Dropped>) -> Pipeline { through(Tee { other }) }
  /// What this one gives, and what a pipeline with a source of its own does, as it comes.
  public func merge(_ other: Pipeline<Nothing, Output>) -> Pipeline {
    Pipeline(inlet: inlet, node: PipelineNode(.merge, "merge", [node, other.node], ItemsOf<Output>()))
  }
  /// Each item with one of a pipeline that has a source of its own, as a tuple; it ends with the shorter.
  public func zip<Other>(_ other: Pipeline<Nothing, Other>) -> Pipeline<Input, (Output, Other)> {
    Pipeline<Input, (Output, Other)>(
      inlet: inlet,
      node: PipelineNode(.join(joiner((Output, Other).self)), "zip", [node, other.node], ItemsOf<(Output, Other)>()))
  }
  /// Collects items as arrays: so many, and those that have come in this time.
  public func batch(_ size: Int, within duration: Duration) -> Pipeline<Input, [Output]> {
    through(Batched(size, within: duration).pipeline(of: Output.self))
  }
  /// Collects items as arrays of no more than so many bytes, as the closure counts them.
  public func batch(
    bytes: Int, upTo size: Int? = nil, within duration: Duration? = nil, of count: @escaping @Sendable (Output) -> Int
  ) -> Pipeline<Input, [Output]> {
    through(Batched(bytes: bytes, upTo: size, within: duration).pipeline(count))
  }
}

extension Pipeline where Output: LineContent {
  /// Writes each item to a file, and hands it on.
  public func write(to path: String, _ mode: WriteMode = .replace, terminator: String = "\n") -> Pipeline {
    through(.stage(Write(path, mode, as: Output.self, terminator: terminator)))
  }
}
