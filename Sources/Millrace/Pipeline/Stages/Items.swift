/// A sequence as the source of a pipeline.
public struct Items<S: Sequence & Sendable>: Source where S.Element: Sendable {
  private let sequence: S

  /// The items of the sequence.
  public init(_ items: S) { sequence = items }

  /// Puts them.
  public func produce(_ out: Outlet<S.Element>) async throws {
    for item in sequence { try await out.put(item) }
  }
}

extension Items: SequenceSource {
  var input: PipelineInput { PipelineInput(sequence) }
}
