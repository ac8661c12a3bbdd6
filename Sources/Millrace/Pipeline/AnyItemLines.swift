// Lines of a builder that do not say of which items they are: what stands around them does.

/// A line of a builder that collects items of whatever type, and gives arrays of them: it needs no type (`Batched(2)`).
public protocol AnyBatchStage: Sendable {
  /// What it is for items of a type.
  func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, [Item]>
}

/// What the lines of a builder come to: a ``Pipeline``, or where none of them says of which items it is, ``AnyItemLines`` or
/// ``AnyBatchLines``.
public protocol PipelineLines: Sendable {
  /// The same, with items that go on as they came.
  associatedtype Teed: PipelineLines
  /// In a group of its own.
  func _grouped(_ group: _LineGroup) -> Self
  /// As a branch of what goes on as it came.
  var _teed: Teed { get }
}

/// A group that is written around lines: `Parallel(3)`, `Serial`. Only they make one.
public struct _LineGroup: Sendable {
  let options: StageOptions
  var width: Int?
  var title: String?
  var refusal: InvalidOption?
}

/// Lines that take items of whatever type, and give items of the same: `Print(); Take(3)`, or a group of such lines.
public struct AnyItemLines: AnyItemStage {
  let steps: [any AnyItemStage]

  /// What they are for items of a type.
  public func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item> {
    steps.reduce(Pipeline<Item, Item>.empty) { $0.then($1.pipeline(of: type)) }
  }
}

/// Lines that collect items of whatever type, and give arrays of them: `Print(); Batched(2)`, or a group of such lines.
public struct AnyBatchLines: AnyBatchStage {
  let before: AnyItemLines
  let batch: any AnyBatchStage
  let after: AnyItemLines

  init(_ batch: any AnyBatchStage, behind before: [any AnyItemStage] = [], after: [any AnyItemStage] = []) {
    (self.batch, self.before, self.after) = (batch, AnyItemLines(steps: before), AnyItemLines(steps: after))
  }

  /// What they are for items of a type.
  public func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, [Item]> {
    before.pipeline(of: type).then(batch.pipeline(of: type)).then(after.pipeline(of: [Item].self))
  }
}

/// Lines in a group.
private struct GroupedLines<Lines: Sendable>: Sendable {
  let lines: Lines
  let group: _LineGroup
}

extension GroupedLines: AnyItemStage where Lines: AnyItemStage {
  func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item> {
    lines.pipeline(of: type)._grouped(group)
  }
}

extension GroupedLines: AnyBatchStage where Lines: AnyBatchStage {
  func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, [Item]> {
    lines.pipeline(of: type)._grouped(group)
  }
}

/// Lines beside each other.
struct AnyItemBranches: AnyItemStage {
  let branches: [any AnyItemStage]
  let isBroadcast: Bool

  func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item> {
    let branches = branches.map { $0.pipeline(of: type) }
    return isBroadcast ? broadcast(branches) : anyOf(branches)
  }
}

/// A branch beside items that go on.
private struct TeedLines<Lines: Sendable>: Sendable { let lines: Lines }

extension TeedLines: AnyItemStage where Lines: AnyItemStage {
  func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item> { lines.pipeline(of: type)._teed }
}

/// The same of a branch that gives arrays.
private struct TeedBatches: AnyItemStage {
  let lines: AnyBatchLines
  func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item> { lines.pipeline(of: type)._teed }
}

extension Pipeline {
  /// Items as they came.
  static var empty: Pipeline<Input, Input> {
    let inlet = PipelineNode.inlet(Input.self)
    return Pipeline<Input, Input>(inlet: inlet, node: inlet)
  }
}

extension Pipeline: PipelineLines {
  /// In a group of its own.
  public func _grouped(_ group: _LineGroup) -> Pipeline {
    grouped(group.options, width: group.width, title: group.title, refusal: group.refusal)
  }

  /// Items go on as they are, and each goes into the pipeline as well.
  public var _teed: Pipeline<Input, Input> {
    let inlet = PipelineNode.inlet(Input.self)
    let branch = then(.elastic(Drop<Output, Input>())).applied(to: inlet)
    return Pipeline<Input, Input>(
      inlet: inlet, node: PipelineNode(.merge, "tee", [inlet, branch], ItemsOf<Input>(), isTee: true))
  }
}

extension AnyItemLines: PipelineLines {
  /// In a group of its own.
  public func _grouped(_ group: _LineGroup) -> AnyItemLines {
    AnyItemLines(steps: [GroupedLines(lines: self, group: group)])
  }

  /// Items go on as they are, and each goes into the lines as well.
  public var _teed: AnyItemLines { AnyItemLines(steps: [TeedLines(lines: self)]) }
}

extension AnyBatchLines: PipelineLines {
  /// In a group of its own.
  public func _grouped(_ group: _LineGroup) -> AnyBatchLines {
    AnyBatchLines(GroupedLines(lines: self, group: group))
  }

  /// Items go on as they are, and each goes into the lines as well.
  public var _teed: AnyItemLines { AnyItemLines(steps: [TeedBatches(lines: self)]) }
}
