// `AsyncSequence` has these too, but leaves the caller's actor for them: in code of the main actor's, where most closures
// of a program's top level and of its `@main` type stand, they do not compile. These are chosen wherever the closure does
// not await. One that does cannot be had here: of the two, the compiler takes `AsyncSequence`'s.

extension OutputSequence {
  /// Puts all outputs into one value, in the caller's task and on its actor, one at a time as they come.
  ///
  /// A closure that awaits gets `AsyncSequence`'s method of this name, which leaves the actor: write a loop there.
  ///
  /// - Parameters:
  ///   - initial: What the outputs are put into.
  ///   - update: Puts one output into it. The map ends when it throws.
  @inlinable
  public func reduce<Total>(
    into initial: Total, _ update: (inout Total, Output) throws -> Void
  ) async throws -> Total {
    var total = initial
    var outputs = makeAsyncIterator()
    while let first = try await outputs.next(isolation: #isolation) {
      try update(&total, first)
      while let output = outputs.nextAtHand() { try update(&total, output) }
    }
    return total
  }

  /// Makes one value of all outputs, in the caller's task and on its actor, one at a time as they come.
  ///
  /// A closure that awaits gets `AsyncSequence`'s method of this name, which leaves the actor: write a loop there.
  ///
  /// - Parameters:
  ///   - initial: The value where there are no outputs.
  ///   - combine: Makes the next value of the last one and an output. The map ends when it throws.
  @inlinable
  public func reduce<Total>(
    _ initial: Total, _ combine: (Total, Output) throws -> Total
  ) async throws -> Total {
    var total = initial
    var outputs = makeAsyncIterator()
    while let first = try await outputs.next(isolation: #isolation) {
      total = try combine(total, first)
      while let output = outputs.nextAtHand() { total = try combine(total, output) }
    }
    return total
  }
}

extension OutcomeSequence {
  /// Puts all outcomes into one value, in the caller's task and on its actor, one at a time as they come.
  ///
  /// A closure that awaits gets `AsyncSequence`'s method of this name, which leaves the actor: write a loop there.
  ///
  /// - Parameters:
  ///   - initial: What the outcomes are put into.
  ///   - update: Puts one outcome into it. The map ends when it throws.
  @inlinable
  public func reduce<Total>(
    into initial: Total, _ update: (inout Total, Outcome<Input, Output>) throws -> Void
  ) async throws -> Total {
    var total = initial
    for try await outcome in self { try update(&total, outcome) }
    return total
  }

  /// Makes one value of all outcomes, in the caller's task and on its actor, one at a time as they come.
  ///
  /// A closure that awaits gets `AsyncSequence`'s method of this name, which leaves the actor: write a loop there.
  ///
  /// - Parameters:
  ///   - initial: The value where there are no outcomes.
  ///   - combine: Makes the next value of the last one and an outcome. The map ends when it throws.
  @inlinable
  public func reduce<Total>(
    _ initial: Total, _ combine: (Total, Outcome<Input, Output>) throws -> Total
  ) async throws -> Total {
    var total = initial
    for try await outcome in self { total = try combine(total, outcome) }
    return total
  }
}
