/// A part of an item that stays in the program: worker processes get the item without it.
///
/// ```swift
/// struct Page: Sendable {
///   @Unsent var document: Document?
///   var text: String
/// }
///
/// for try await outcome in pool.outcomes(of: pages, { count(words: $0.text) }) {
///   outcome.input.document?.words = try outcome.output
/// }
/// ```
///
/// On threads, on tasks and in a serial pool nothing is sent, and the worker sees it too. In a worker process it is nil. ``Outcome/input`` is
/// the program's own item, so there it is as it was. The type of the part is of no concern: it need not be `Codable`.
@propertyWrapper
public struct Unsent<Value> {
  /// The part; nil in a worker process, and in what comes back from one.
  public var wrappedValue: Value?

  /// Creates one.
  public init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }
}

extension Unsent: Sendable where Value: Sendable {}
extension Unsent: Equatable where Value: Equatable {}
extension Unsent: Hashable where Value: Hashable {}

extension Unsent: Codable {
  private enum NoKeys: CodingKey {}

  /// Encodes nothing.
  public func encode(to encoder: any Encoder) throws { _ = encoder.container(keyedBy: NoKeys.self) }

  /// Decodes nothing: there is no part.
  public init(from decoder: any Decoder) throws { wrappedValue = nil }
}
