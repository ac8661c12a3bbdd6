/// What became of one item.
public struct Outcome<Input: Sendable, Output: Sendable>: Sendable {
  /// The item's position in the input, from 0.
  public let index: Int
  /// The item.
  public let input: Input
  /// The slot (worker ID) that ran it.
  public let slot: Int
  /// Which try this was the outcome of, from 1.
  public let attempt: Int
  /// The output, or why there is none.
  public let result: Result<Output, ItemFailure>

  /// The output; throws the failure if there is none.
  public var output: Output { get throws(ItemFailure) { try result.get() } }
}
