/// A sequence as the source of a pipeline.
///
/// It is read ahead of what is taken, also behind what a ``Take`` lets pass: one that traps at its end, such as `UInt8(0)...`, ends
/// the program. Write `0...UInt8.max`.
public struct Items<S: Sequence & Sendable>: Source where S.Element: Sendable {
  @usableFromInline let sequence: S
  @usableFromInline let input: PipelineInput

  /// The items of the sequence.
  @inlinable
  public init(_ items: S) {
    sequence = items
    input = PipelineInput(items)
  }

  /// Puts them.
  public func produce(_ out: Outlet<S.Element>) async throws {
    for item in sequence { try await out.put(item) }
  }
}

extension Items: SequenceSource {}
