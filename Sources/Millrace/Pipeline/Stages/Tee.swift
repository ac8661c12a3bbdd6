/// Items go on as they are, and each goes into another pipeline as well, whose outputs are dropped.
public func Tee<Item, Dropped>(@PipelineBuilder _ build: () -> Pipeline<Item, Dropped>) -> Pipeline<Item, Item> {
  let inlet = PipelineNode.inlet(Item.self)
  let dropping = build().then(.elastic(CompactMap<Dropped, Item> { _ in nil }))
  let branch = dropping.applied(to: inlet)
  return Pipeline(inlet: inlet, node: PipelineNode(.merge, "tee", [inlet, branch], ItemsOf<Item>(), isTee: true))
}
