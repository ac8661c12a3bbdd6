package import MillraceIPC

/// Why a pipeline could not go on, where it was not one item's failure (``ItemFailure``): which stage, and what went wrong there.
public struct PipelineError: Error, Sendable, CustomStringConvertible {
  /// The kinds of trouble.
  @nonexhaustive
  public enum Kind: Sendable, Hashable {
    /// A source threw.
    case sourceFailed
    /// A stage's set-up threw, or its worker died there, again and again.
    case setUpFailed
    /// A stage's tear-down threw, or its worker died there, or was ended for its slowness.
    case tearDownFailed
    /// A stage's workers could not be started, or go on.
    case stationFailed
    /// Something was put into a ``SideChannel`` that no run uses.
    case sideChannelUnused
    /// The own pipeline of a ``SideChannel`` into which stages put has failed.
    case sideChannelFailed
    /// A join waits for items that cannot come before others are taken, and the edge between may not become wider; or all waits for an output
    /// of a ``ForkedPipeline`` that nobody takes.
    case standstill
  }

  /// What kind of trouble it is.
  public var kind: Kind
  /// The stage: its name, and its position in the layout; of a ``SideChannel`` its name, and 0.
  public var stage: ItemFailure.Stage
  /// The error behind it: what the source, the set-up or the tear-down threw, what a side channel's pipeline ended with, a
  /// ``WorkerFailure`` or a ``WorkerPoolError``.
  public var underlying: (any Error)?
  /// What happened, in words.
  public var message: String

  init(_ kind: Kind, _ stage: ItemFailure.Stage, _ message: String, underlying: (any Error)? = nil) {
    self.kind = kind
    self.stage = stage
    self.message = message
    self.underlying = underlying
  }

  /// Whether it is about a side channel, whoever has put into it.
  var isOfChannel: Bool { kind == .sideChannelUnused || kind == .sideChannelFailed }

  /// The stage, what happened, and what is behind it.
  public var description: String {
    let text = "\(isOfChannel ? "side channel" : "stage") \(stage.name): \(message)"
    guard let underlying else { return text }
    return "\(text): \(underlying.inWords)"
  }
}

extension PipelineError: TravellingError {
  package struct Form {
    var kind: Kind
    var stage: ItemFailure.Stage
    var message: String
    /// None or one.
    var underlying: [CauseForm]
  }

  package var form: Form {
    Form(kind: kind, stage: stage, message: message, underlying: underlying.map { [.threw($0)] } ?? [])
  }

  package init(form: Form) {
    self.init(form.kind, form.stage, form.message)
    if case .threw(let error)? = form.underlying.first { underlying = error }
  }

  package static var standIn: any ErrorStandIn.Type { RemoteError.self }
}
