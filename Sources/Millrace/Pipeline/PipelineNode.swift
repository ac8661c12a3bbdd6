/// A step of a pipeline that is being described: untyped, for the handles on it are typed (``Pipeline``, ``Flow``).
///
/// It never changes; what is put behind something else, or in a group, is copied.
package final class PipelineNode: Sendable {
  /// What it does with items.
  package enum Work: Sendable {
    /// Where a pipeline's input comes in.
    case inlet
    case source(any Source)
    /// One output for each input, in whichever slot, in any order.
    case worker(any Worker)
    /// None, one or several outputs for each input, in whichever slot: a filter, a flat map.
    case elastic(any ElasticStage)
    /// One instance, in the order of the input.
    case stage(any Stage)
    /// Each item goes to one of those behind it.
    case choice
    /// Items as arrays, as they come and as time goes by.
    case gather(any AnyGathering)
    /// What several give, as it comes.
    case merge
    /// What several give, those of one item together.
    case join(@Sendable ([any Sendable]) -> any Sendable)
  }

  /// The group in which a stage stands.
  package final class Group: Sendable {
    package let options: StageOptions
    /// How many instances, with slots of their own; nil: as the pipeline.
    package let width: Int?
    package let outer: Group?
    /// What it was written as: `Parallel`, `Serial`, …; nil: options alone.
    let title: String?
    /// What is wrong with how it was written.
    let refusal: InvalidOption?

    init(
      options: StageOptions, width: Int?, title: String? = nil, refusal: InvalidOption? = nil, outer: Group? = nil
    ) {
      self.options = options
      self.width = width
      self.title = title
      self.refusal = refusal
      self.outer = outer
    }

    /// The same in another group.
    func inside(_ outer: Group?) -> Group {
      Group(options: options, width: width, title: title, refusal: refusal, outer: outer)
    }
  }

  /// Where items of a type come in.
  static func inlet<Item: Sendable>(_ type: Item.Type) -> PipelineNode {
    PipelineNode(.inlet, "in", [], ItemsOf<Item>())
  }

  package let work: Work
  package let name: String
  package let inputs: [PipelineNode]
  package let group: Group?
  /// What it gives.
  package let kind: any ItemKind

  /// Whether it is a merge of items and of a branch in which the same items have nothing to give.
  let isTee: Bool
  /// The options of all that stands before it: it is no step itself, and is gone when the graph is whole.
  let marks: StageOptions?

  init(
    _ work: Work, _ name: String, _ inputs: [PipelineNode], _ kind: any ItemKind, group: Group? = nil,
    isTee: Bool = false, marks: StageOptions? = nil
  ) {
    self.kind = kind
    self.isTee = isTee
    self.marks = marks
    self.work = work
    self.name = name
    self.inputs = inputs
    self.group = group
  }
}

/// Copies a graph of nodes: each once, however often it is used, so that a fork stays one.
struct NodeCopier {
  /// What stands for a node instead of a copy of it.
  let replaced: PipelineNode
  let replacement: PipelineNode
  /// The group in which the copies stand, around those that they have.
  var group: PipelineNode.Group?
  private var copies: [ObjectIdentifier: PipelineNode] = [:]
  private var groups: [ObjectIdentifier: PipelineNode.Group] = [:]

  init(_ replaced: PipelineNode, by replacement: PipelineNode, in group: PipelineNode.Group? = nil) {
    self.replaced = replaced
    self.replacement = replacement
    self.group = group
  }

  mutating func copy(_ node: PipelineNode) -> PipelineNode {
    if node === replaced { return replacement }
    if let copy = copies[ObjectIdentifier(node)] { return copy }
    var inputs: [PipelineNode] = []
    for input in node.inputs { inputs.append(copy(input)) }
    let made = PipelineNode(
      node.work, node.name, inputs, node.kind, group: wrapped(node.group), isTee: node.isTee,
      marks: node.marks)
    copies[ObjectIdentifier(node)] = made
    return made
  }

  private mutating func wrapped(_ inner: PipelineNode.Group?) -> PipelineNode.Group? {
    guard group != nil, let inner else { return inner ?? group }
    if let known = groups[ObjectIdentifier(inner)] { return known }
    let made = inner.inside(wrapped(inner.outer))
    groups[ObjectIdentifier(inner)] = made
    return made
  }
}
