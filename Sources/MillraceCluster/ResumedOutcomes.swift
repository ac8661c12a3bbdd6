#if Cluster
public import Millrace
import MillraceIPC

extension WorkerPool {
  /// What becomes of each item, over all programs that have this run: a program with the same job, run, worker and input, begun when one
  /// before it has died or was ended, goes on where that one stopped.
  ///
  /// Which items the consumer has had is noted in the queue, when it asks for the next; these are not run and not delivered again. What it had
  /// not asked behind, the outcome that it had in hand among them, is delivered by the next program. So it should be able to bear
  /// one outcome twice: the last. Each note costs a round trip to the queue.
  ///
  /// Of two programs that have the run at a time the one that came last has it: the other's loop throws with its next outcome. Of two loops
  /// of one pool the second is refused. When
  /// the pool ends after a run that came to its end, the run is forgotten: begun again by the same pool it has no outcomes, which the log
  /// says (`notice`), and by a later one it begins anew. One that did not is kept for a week, unless
  /// `millrace cluster clean --job` removes it.
  ///
  /// - Parameters:
  ///   - items: The input: the same in each program, in the same order. Their number is compared.
  ///   - worker: What runs the items: the same in each program. Its type and its configuration are compared.
  ///   - run: What the run is called in its job: letters, digits, '-', '_' and '.'. Runs of a pool that are under way at a time need a name each.
  ///   - order: In which order outcomes come. Default: that of the input.
  ///   - options: Everything else.
  /// - Returns: The outcomes. Iterating throws what ends the whole map, and a ``WorkerPoolError`` if the run cannot be taken up: on a pool
  ///   that is no cluster, on one whose job has no name (``ClusterEngine/redis(_:job:)``), for another worker or input, and for a worker with
  ///   something shared in its configuration.
  public func outcomes<C: Collection & Sendable, W: Worker>(
    of items: C, with worker: W, resuming run: String, order: MapOptions.Order = .input,
    options: MapOptions = MapOptions()
  ) -> ResumedOutcomes<W.Input, W.Output> where C.Element == W.Input {
    ResumedOutcomes { [self] in
      guard let slots = slots as? ClusterSlots else {
        throw WorkerPoolError(
          .cannotStart, "run \(run) cannot go on here: that takes a cluster, whose queue keeps notes of it")
      }
      guard slots.driver.options.hasName else {
        throw WorkerPoolError(
          .cannotStart, "run \(run) could not be found again: name its job, as in .redis(\"redis://…\", job: \"night\")"
        )
      }
      guard AgentSettings.isName(run) else {
        throw InvalidOption(name: "resuming", value: run, allowed: "letters, digits, '-', '_' and '.'")
      }
      let head: Fields
      do { head = try ClusterRun.head(worker, items: items.count) } catch let error as TransportError {
        throw WorkerPoolError(
          .notTransportable, "run \(run) cannot go on in another program, for the configuration of its worker",
          underlying: error)
      }
      let begun = ClusterRun(slots.driver, run, head)
      let delivered: [UInt8]
      do { delivered = try await begun.begin() } catch let error as EngineError {
        throw WorkerPoolError(.cannotStart, "run \(run) cannot be taken up", underlying: error)
      }
      let outcomes: OutcomeSequence<W.Input, W.Output, C> = outcomes(
        of: ItemSource(items), with: worker, knowing: DeliveredItems(delivered), order: order, options: options)
      return (begun, outcomes.makeAsyncIterator())
    }
  }
}

/// The outcomes of a run that goes on in another program when this one dies. See
/// ``Millrace/WorkerPool/outcomes(of:with:resuming:order:options:)``.
public struct ResumedOutcomes<Input: Sendable, Output: Sendable>: AsyncSequence {
  /// What it yields.
  public typealias Element = Outcome<Input, Output>
  /// What it throws.
  public typealias Failure = any Error
  typealias Source = any AsyncIteratorProtocol<Outcome<Input, Output>, any Error>

  let begin: () async throws -> (ClusterRun, Source)

  /// Takes the run up.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(begin: begin) }

  /// Takes outcomes.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let begin: () async throws -> (ClusterRun, Source)
    var run: ClusterRun?
    var source: Source?
    /// What the consumer has in hand.
    var last: Int?

    init(begin: @escaping () async throws -> (ClusterRun, Source)) { self.begin = begin }

    /// The next outcome; nil at the end. With it, the one before is noted.
    public mutating func next() async throws -> Outcome<Input, Output>? { try await next(isolation: #isolation) }

    /// The next outcome, without leaving the caller's actor; nil at the end. With it, the one before is noted.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Outcome<Input, Output>? {
      if source == nil { (run, source) = try await begin() }
      if let last {
        do { try await run?.delivered(last) } catch let error as EngineError {
          throw WorkerPoolError(.cannotStart, "item \(last) cannot be noted as delivered", underlying: error)
        }
        self.last = nil
      }
      let outcome = try await source?.next(isolation: actor)
      last = outcome?.index
      if outcome == nil { run?.complete() }
      return outcome
    }
  }
}

@available(*, unavailable)
extension ResumedOutcomes.AsyncIterator: Sendable {}
#endif
