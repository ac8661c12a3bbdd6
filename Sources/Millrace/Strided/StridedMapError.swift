/// Why a strided map cannot be used like this, or does not go on. Failures of single items are ``ItemFailure``.
public struct StridedMapError: Error, Sendable, CustomStringConvertible {
  /// The kinds of trouble.
  @nonexhaustive
  public enum Kind: Sendable, Hashable {
    /// What was asked for cannot come: the buffer is full with results of other outputs, and nobody takes them.
    case standstill
    /// No result within the limit that was set for waiting on the next one.
    case nextTimedOut
    /// A task was added after the first result was asked for.
    case hasBegun
    /// The output is the input of another task, which takes its results.
    case isInput
    /// The output belongs to another map.
    case foreignOutput
  }

  /// What kind of trouble it is.
  public var kind: Kind
  /// What happened, and what to do.
  public var message: String
  /// The output to take from first, where that would help (``StridedOutput/position``).
  public var output: Int?

  /// Creates an error.
  public init(_ kind: Kind, _ message: String, output: Int? = nil) {
    self.kind = kind
    self.message = message
    self.output = output
  }

  /// The message.
  public var description: String { message }
}

extension StridedMapError {
  init(_ blockage: Blockage) {
    self.init(.standstill, blockage.description, output: blockage.full.first?.output)
  }
}

/// What a task got for an input that had failed in the task before it: an item's failure goes on to the end of its chain, and
/// says at each step where it came from.
public struct UpstreamFailure: Error, Sendable, CustomStringConvertible {
  /// The output that it came from (``StridedOutput/position``).
  public var output: Int
  /// What happened there.
  public var failure: ItemFailure

  /// Creates an error.
  public init(output: Int, failure: ItemFailure) {
    self.output = output
    self.failure = failure
  }

  /// The output, and what happened there.
  public var description: String { "in output \(output): \(failure)" }
}

/// One evaluation of a task: what a ``StridedMap/trace`` consists of.
public struct StridedTasklet: Sendable, Hashable, CustomStringConvertible {
  /// The task's output (``StridedOutput/position``).
  public var output: Int
  /// The position in its input, from 0.
  public var index: Int

  /// Creates one.
  public init(output: Int, index: Int) {
    self.output = output
    self.index = index
  }

  /// As `1[7]`: the eighth of output 1.
  public var description: String { "\(output)[\(index)]" }
}
