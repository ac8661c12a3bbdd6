/// A closure as a line of a builder: `Map { (number: Int) in number + 1 }`.
@inlinable
public func Map<Input: Sendable, Output: Sendable>(
  _ body: @escaping @Sendable (Input) async throws -> Output
) -> ClosureWorker<Input, Output> { ClosureWorker(body) }
